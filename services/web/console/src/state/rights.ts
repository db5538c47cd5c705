/** What the operator's API key may do. The server checks each request; the page hides what it would refuse. */
export interface Rights {
    /** True if the operator may act: redrive, purge, close connections. */
    readonly operate: boolean;
    /** True if the operator may send notifications to every user. */
    readonly send: boolean;
}

/** The rights of a key that may only look, and of one whose rights are not known yet. */
export const READ_ONLY: Rights = { operate: false, send: false };

/** Returns the rights of a key from the answer to `GET /v1/key`. */
export function rightsOf(answer: unknown): Rights {
    const scopes = typeof answer === "object" && answer !== null && "scopes" in answer ? answer.scopes : [];
    const has = (...wanted: string[]): boolean =>
        Array.isArray(scopes) && wanted.some((scope) => scopes.includes(scope));
    return { operate: has("operate", "admin"), send: has("send", "admin") };
}
