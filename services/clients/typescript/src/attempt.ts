import type { Timer } from "./clock.ts";
import { type Credential, credentialOf, handshakeOf } from "./credential.ts";
import { TidingsError } from "./errors.ts";
import type { Settings } from "./options.ts";
import { Socket, type SocketHooks } from "./socket.ts";
import type { Disconnect } from "./state.ts";

/** One attempt to connect: asks for a credential, and begins a handshake with it. */
export class Attempt {
    #over = false;
    readonly #timer: Timer;
    #socket: Socket | undefined;
    readonly #settings: Settings;
    readonly #hooks: SocketHooks;
    readonly #failed: (reason: Disconnect) => void;

    /**
     * @param hooks those of the socket
     * @param failed there was no credential, or no handshake; what becomes of a handshake the hooks tell
     */
    constructor(settings: Settings, hooks: SocketHooks, failed: (reason: Disconnect) => void) {
        this.#settings = settings;
        this.#hooks = hooks;
        this.#failed = failed;
        const { clock, connectTimeout, token } = settings;
        this.#timer = clock.after(connectTimeout, () => {
            this.#fail({ why: "no-token", message: "the credential took too long" });
        });
        // In an async function, so that what `token` throws at once is caught as well.
        const asked = (async () => (token === undefined ? undefined : credentialOf(await token())))();
        asked
            .then(
                (credential) => {
                    if (!this.#over) this.#handshake(credential);
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

    /** Gives it up. */
    cancel(): void {
        this.#over = true;
        this.#settings.clock.cancel(this.#timer);
        this.#socket?.close();
    }

    #handshake(credential: Credential | undefined): void {
        this.#over = true;
        const { url, tokenIn, acknowledge, WebSocket } = this.#settings;
        const handshake = handshakeOf(url, credential?.token, tokenIn, acknowledge);
        const { protocols } = handshake;
        let socket;
        try {
            socket = protocols.length === 0 ? new WebSocket(handshake.url) : new WebSocket(handshake.url, protocols);
        } catch (error) {
            // A token that can't be a subprotocol, an address that this page may not connect to.
            this.#failed({ why: "refused", message: String(error) });
            return;
        }
        this.#socket = new Socket(socket, this.#settings, this.#hooks, credential?.expiresAt);
    }

    #fail(reason: Disconnect): void {
        if (this.#over) return;
        this.#over = true;
        this.#failed(reason);
    }
}
