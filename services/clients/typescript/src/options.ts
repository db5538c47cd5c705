import type { Backoff } from "./backoff.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Credential, TokenLocation } from "./credential.ts";
import { type Environment, systemEnvironment } from "./environment.ts";
import type { WebSocketConstructor } from "./socket.ts";

/** Options of a client. Durations are in milliseconds; defaults are in parentheses. */
export interface Options {
    /** WebSocket URL of the gateway, such as `wss://tidings.example.com/ws`. */
    readonly url: string;
    /**
     * Returns the credential for one handshake; called before each. If it fails, it is called again later. If it
     * throws a `TidingsError` with the code `forbidden`, the client is closed. Leave it out when a cookie is the
     * credential.
     */
    readonly token?: () => Promise<string | Credential>;
    /** Part of the handshake that carries the credential (`query`). `subprotocol` keeps it out of logs of URLs. */
    readonly tokenIn?: TokenLocation;
    /** Lets the gateway keep each notification until the application has handled it (`true`). */
    readonly acknowledge?: boolean;
    /** WebSocket class, needed where there is no global one: that of `ws` in Node.js before version 22. */
    readonly WebSocket?: WebSocketConstructor;
    /** Number of acknowledgements in one frame (25). */
    readonly ackBatch?: number;
    /** Maximum delay of an acknowledgement (1 s). */
    readonly ackDelay?: number;
    /**
     * Time without a frame from the client before it sends a `ping` (60 s, or as the gateway tells in its first `pong`:
     * on AWS eight and a half minutes, because each costs; in a hidden page at least 5 minutes). API Gateway closes a
     * connection that was idle for 10 minutes
     * (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
     */
    readonly heartbeat?: number;
    /** Time that the gateway may be silent while it owes an answer, before the connection is replaced (10 s). */
    readonly answerTimeout?: number;
    /** Time limits of an attempt to connect: for the credential, and again for the handshake (10 s each). */
    readonly connectTimeout?: number;
    /** Time limit of `send` and the other requests, including the wait for a connection (30 s). */
    readonly requestTimeout?: number;
    /**
     * Age at which a connection is replaced (110 minutes; API Gateway closes one after 2 hours). Up to a tenth of it is
     * subtracted at random, so that clients don't all reconnect at the same time.
     */
    readonly rotateAfter?: number;
    /** Time for which both connections are kept when one replaces the other (1 s). */
    readonly overlap?: number;
    /** Bounds of the delays between attempts to connect (200 ms to 15 s). */
    readonly backoff?: Backoff;
    /** Number of completed notifications whose ids are remembered, to recognise duplicates (10,000). */
    readonly remember?: number;
    /**
     * Number of notifications that may wait for the application (10,000). When there are more, the connection is closed
     * until half of them are handled; the gateway holds new ones meanwhile. Unlimited without acknowledgements.
     */
    readonly buffer?: number;
    /** Replaces the system's clock, for tests. */
    readonly clock?: Clock;
    /** Replaces `Math.random`, for tests. Returns numbers in [0, 1). */
    readonly random?: () => number;
    /** Replaces the browser's network and page state, for tests. */
    readonly environment?: Environment;
}

/** Options with all defaults filled in. */
export type Settings = Required<Omit<Options, "token" | "heartbeat">> & Pick<Options, "token" | "heartbeat">;

const MINUTE = 60_000;

/**
 * Fills in the defaults.
 *
 * @throws TypeError if there is no WebSocket class, or `url` is not a URL
 */
export function settingsOf(options: Options): Settings {
    const WebSocket = options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
    if (WebSocket === undefined) {
        throw new TypeError("no WebSocket class: pass one as the option WebSocket, such as that of the package ws");
    }
    return {
        tokenIn: "query",
        acknowledge: true,
        ackBatch: 25,
        ackDelay: 1000,
        answerTimeout: 10_000,
        connectTimeout: 10_000,
        requestTimeout: 30_000,
        rotateAfter: 110 * MINUTE,
        overlap: 1000,
        backoff: { initial: 200, max: 15_000 },
        remember: 10_000,
        buffer: 10_000,
        clock: systemClock,
        random: Math.random,
        environment: options.environment ?? systemEnvironment(),
        ...options,
        // Throws a TypeError for anything but a URL.
        url: new URL(options.url).href,
        WebSocket,
    };
}
