import type { ErrorCode } from "./frames.ts";

/**
 * What went wrong, for programs: what the gateway says of a refused frame, or
 * - `timeout`: there was no answer in time. It may have been carried out all the same; asked again with the same
 *   `id` within five minutes, it is not carried out twice.
 * - `closed`: the client was closed before there was an answer.
 */
export type TidingsErrorCode = ErrorCode | "timeout" | "closed";

/** What promises of the client are rejected with. */
export class TidingsError extends Error {
    override readonly name = "TidingsError";
    /** What went wrong, for programs. */
    readonly code: TidingsErrorCode;
    /** Names the request in the gateway's log, if the gateway refused it. */
    readonly requestId: string | undefined;
    /** With `too-many-requests`: after how many milliseconds to ask again. */
    readonly retryAfter: number | undefined;

    /**
     * @param code what went wrong; a `token` function that throws one with `forbidden` ends the client
     * @param message the same for people
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
