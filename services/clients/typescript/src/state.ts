/**
 * Reason for having no connection.
 * - `requested`: {@link Client.close} was called.
 * - `forbidden`: `token` threw a {@link TidingsError} with the code `forbidden`: there is no credential any more.
 * - `no-token`: `token` failed with another error, or took too long.
 * - `refused`: the handshake failed. A browser does not tell if the cause was the network or the gateway.
 * - `closed`: the gateway closed the connection. `code` and `message` are those of its close frame.
 * - `broken`: the connection ended without a close frame.
 * - `silent`: the gateway did not answer in time, so the connection is considered half-open.
 * - `offline`: the browser reports that there is no network.
 * - `behind`: too many notifications wait for the application. The gateway holds new ones.
 */
export interface Disconnect {
    /** Machine-readable reason. */
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
    /** WebSocket close code, if there was one (https://www.rfc-editor.org/rfc/rfc6455#section-7.4). */
    readonly code?: number;
    /** Message of the gateway or of an error. */
    readonly message?: string;
}

/** State of the connection, for a user interface. Times are milliseconds since the Unix epoch, by this machine's clock. */
export type State =
    | {
          /** A connection is being opened. */
          readonly status: "connecting";
          /** Number of attempts that failed in a row. */
          readonly failures: number;
      }
    | {
          /** A connection is open, possibly being replaced by another. */
          readonly status: "open";
          /** Time at which the connection was opened. */
          readonly since: number;
          /** Time at which the credential expires, if known. A new one is requested before. */
          readonly expiresAt?: number;
      }
    | {
          /** There is no connection; another attempt follows. */
          readonly status: "waiting";
          /** Reason for having no connection. */
          readonly reason: Disconnect;
          /** Time of the next attempt. Absent while `reason` has to change first. */
          readonly nextAttemptAt?: number;
          /** Number of attempts that failed in a row. */
          readonly failures: number;
      }
    | {
          /** The client is closed and will not connect again. */
          readonly status: "closed";
          /** Reason for closing. */
          readonly reason: Disconnect;
      };
