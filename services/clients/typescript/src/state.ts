/**
 * Why there is no connection.
 * - `requested`: {@link Client.close} was called.
 * - `forbidden`: `token` threw a {@link TidingsError} with the code `forbidden`: there is no credential any more.
 * - `no-token`: `token` failed otherwise, or took too long.
 * - `refused`: the handshake failed; a browser does not tell whether the network or the gateway was it.
 * - `closed`: the gateway closed the connection; `code` and `message` are those of its close frame.
 * - `broken`: the connection ended without a close frame.
 * - `silent`: the gateway did not answer in time; the connection is taken for half-open.
 * - `offline`: the browser says that there is no network.
 * - `behind`: too many notifications wait for the application; what comes after them is held by the gateway.
 */
export interface Disconnect {
    /** Why, for programs. */
    readonly why:
        | "requested"
        | "forbidden"
        | "no-token"
        | "refused"
        | "closed"
        | "broken"
        | "silent"
        | "offline"
        | "behind";
    /** The WebSocket close code, where there was one (https://www.rfc-editor.org/rfc/rfc6455#section-7.4). */
    readonly code?: number;
    /** What the gateway or an error says. */
    readonly message?: string;
}

/** How things are, for a user interface. Times are milliseconds since the Unix epoch, by this machine's clock. */
export type State =
    | {
          /** A connection is being opened. */
          readonly status: "connecting";
          /** How many attempts in a row have failed. */
          readonly failures: number;
      }
    | {
          /** There is a connection; also while another takes its place. */
          readonly status: "open";
          /** Since when. */
          readonly since: number;
          /** When the credential ends, if that is known. A new one is asked for before. */
          readonly expiresAt?: number;
      }
    | {
          /** There is none. */
          readonly status: "waiting";
          /** Why. */
          readonly reason: Disconnect;
          /** When the next attempt is made; absent while what `reason` says has to change first. */
          readonly nextAttemptAt?: number;
          /** How many attempts in a row have failed. */
          readonly failures: number;
      }
    | {
          /** There will be none any more. */
          readonly status: "closed";
          /** Why. */
          readonly reason: Disconnect;
      };
