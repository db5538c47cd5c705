import type { Backoff } from "./backoff.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Credential, TokenPlace } from "./credential.ts";
import { type Environment, systemEnvironment } from "./environment.ts";
import type { WebSocketConstructor } from "./socket.ts";

/** How a client behaves. Durations are in milliseconds. */
export interface Options {
    /** The gateway's WebSocket address: `wss://tidings.example.com/ws`. */
    readonly url: string;
    /**
     * Gives the credential for one handshake, and is asked before each. It may fail: then it is asked again later.
     * When it throws a `TidingsError` with the code `forbidden`, the client ends. Leave it out when a cookie is the
     * credential.
     */
    readonly token?: () => Promise<string | Credential>;
    /** Where the credential goes; `query` when absent. `subprotocol` keeps it out of logs of URLs. */
    readonly tokenIn?: TokenPlace;
    /** Whether the gateway keeps each notification until the application has taken it; `true` when absent. */
    readonly acknowledge?: boolean;
    /** Makes WebSockets, where there is no global one: `ws` in Node.js before version 22. */
    readonly WebSocket?: WebSocketConstructor;
    /** How many acknowledgements go in one frame (25), */
    readonly ackBatch?: number;
    /** and how long one waits at most (1 s). */
    readonly ackDelay?: number;
    /**
     * How long a connection goes without a frame of ours before a `ping` (60 s; in a hidden page 5 minutes at least).
     * API Gateway closes a connection that was idle for 10 minutes
     * (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
     */
    readonly heartbeat?: number;
    /** How long the gateway may be silent when it owes an answer, before the connection is given up (10 s). */
    readonly answerTimeout?: number;
    /** How long an attempt to connect may take: the credential, and then the handshake (10 s each). */
    readonly connectTimeout?: number;
    /** How long `send` and its like wait for their answer, and for a connection (30 s). */
    readonly requestTimeout?: number;
    /**
     * After how long a connection is replaced (110 minutes; API Gateway ends one after 2 hours). Up to a tenth of it
     * is taken off at random, so that clients don't do it all together.
     */
    readonly rotateAfter?: number;
    /** For how long both connections are kept when one is replaced (1 s). */
    readonly overlap?: number;
    /** How delays between attempts to connect grow (200 ms, at most 15 s). */
    readonly backoff?: Backoff;
    /** How many ids of settled notifications are known, to recognise duplicates (10,000). */
    readonly remember?: number;
    /**
     * How many notifications may wait for the application (10,000). When more do, the connection is closed until half
     * of them are taken; the gateway holds what comes meanwhile. Without acknowledgements there is no limit.
     */
    readonly buffer?: number;
    /** The time; for tests. */
    readonly clock?: Clock;
    /** Random numbers from 0 up to but not 1; for tests. */
    readonly random?: () => number;
    /** What is known of network and page; for tests. */
    readonly environment?: Environment;
}

/** Options with nothing left out. */
export type Settings = Required<Omit<Options, "token">> & Pick<Options, "token">;

const MINUTE = 60_000;

/** @throws TypeError when there is no WebSocket, or the address is none */
export function settingsOf(options: Options): Settings {
    const WebSocket = options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
    if (WebSocket === undefined) {
        throw new TypeError("there is no WebSocket here; give one as the option WebSocket, as of the package ws");
    }
    return {
        tokenIn: "query",
        acknowledge: true,
        ackBatch: 25,
        ackDelay: 1000,
        heartbeat: MINUTE,
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
        // Throws for what is no address.
        url: new URL(options.url).href,
        WebSocket,
    };
}
