import type { Timer } from "./clock.ts";
import { type Credential, credentialOf, handshakeOf } from "./credential.ts";
import { TidingsError } from "./errors.ts";
import type { Settings } from "./options.ts";
import { Socket, type SocketHooks } from "./socket.ts";
import type { Disconnect } from "./state.ts";

/** One attempt to connect: asks for a credential, then starts a handshake with it. */
export class Attempt {
    #finished = false;
    readonly #timer: Timer;
    #socket: Socket | undefined;
    readonly #settings: Settings;
    readonly #hooks: SocketHooks;
    readonly #onFailure: (reason: Disconnect) => void;

    /**
     * @param hooks passed to the socket, which reports the outcome of the handshake there
     * @param onFailure called when there is no credential or the handshake can't be started
     */
    constructor(settings: Settings, hooks: SocketHooks, onFailure: (reason: Disconnect) => void) {
        this.#settings = settings;
        this.#hooks = hooks;
        this.#onFailure = onFailure;
        const { clock, connectTimeout, token } = settings;
        this.#timer = clock.after(connectTimeout, () => {
            this.#fail({ why: "no-token", message: "the credential took too long" });
        });
        // The async function also catches errors that `token` throws synchronously.
        const request = (async () => (token === undefined ? undefined : credentialOf(await token())))();
        request
            .then(
                (credential) => {
                    if (!this.#finished) this.#startHandshake(credential);
                },
                (error: unknown) => {
                    const forbidden = error instanceof TidingsError && error.code === "forbidden";
                    this.#fail({ why: forbidden ? "forbidden" : "no-token", message: String(error) });
                },
            )
            .finally(() => {
                clock.cancel(this.#timer);
            });
    }

    /** Abandons the attempt and closes its socket. */
    cancel(): void {
        this.#finished = true;
        this.#settings.clock.cancel(this.#timer);
        this.#socket?.close();
    }

    #startHandshake(credential: Credential | undefined): void {
        this.#finished = true;
        const { url, tokenIn, acknowledge, WebSocket } = this.#settings;
        const handshake = handshakeOf(url, credential?.token, tokenIn, acknowledge);
        const { protocols } = handshake;
        let socket;
        try {
            socket = protocols.length === 0 ? new WebSocket(handshake.url) : new WebSocket(handshake.url, protocols);
        } catch (error) {
            // The token is not a valid subprotocol, or this page may not connect to the URL.
            this.#onFailure({ why: "refused", message: String(error) });
            return;
        }
        this.#socket = new Socket(socket, this.#settings, this.#hooks, credential?.expiresAt);
    }

    #fail(reason: Disconnect): void {
        if (this.#finished) return;
        this.#finished = true;
        this.#onFailure(reason);
    }
}
