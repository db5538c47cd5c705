import type { ErrorCode } from "./frames.ts";

/**
 * Machine-readable reason of an error: a code of the gateway for a refused frame, or
 * - `timeout`: no answer in time. The gateway may have carried out the request all the same. Repeated with the same
 *   `id` within five minutes, it is not carried out twice.
 * - `closed`: the client was closed before the answer.
 * - `unreadable`: a notification could not be read, for instance because its payload nests too deep for the runtime. It
 *   is acknowledged and left out.
 */
export type TidingsErrorCode = ErrorCode | "timeout" | "closed" | "unreadable";

/** Error with which the client's promises are rejected. */
export class TidingsError extends Error {
    override readonly name = "TidingsError";
    /** Machine-readable reason. */
    readonly code: TidingsErrorCode;
    /** Identifies the request in the gateway's log, if the gateway refused it. */
    readonly requestId: string | undefined;
    /** With `too-many-requests`: milliseconds to wait before asking again. */
    readonly retryAfter: number | undefined;

    /**
     * @param code machine-readable reason; a `token` function that throws `forbidden` closes the client
     * @param message human-readable reason
     */
    constructor(
        code: TidingsErrorCode,
        message: string,
        details: { requestId?: string; retryAfter?: number | undefined; cause?: unknown } = {},
    ) {
        super(message, "cause" in details ? { cause: details.cause } : undefined);
        this.code = code;
        this.requestId = details.requestId;
        this.retryAfter = details.retryAfter;
    }
}
