/** Contents of the form for a test notification. */
export interface Draft {
    readonly userId: string;
    readonly payload: string;
    readonly whenOffline: "hold" | "drop";
    /** Milliseconds until it expires; 0 for never. */
    readonly expiresAfter: number;
}

export const EXPIRIES: readonly { readonly label: string; readonly after: number }[] = [
    { label: "Never", after: 0 },
    { label: "After 10 seconds", after: 10_000 },
    { label: "After 1 minute", after: 60_000 },
    { label: "After 1 hour", after: 3_600_000 },
    { label: "After 1 day", after: 86_400_000 },
];

export const INITIAL_DRAFT: Draft = {
    userId: "",
    payload: '{ "text": "A test from the console" }',
    whenOffline: "hold",
    expiresAfter: 0,
};

/** Error messages of a draft, by field. Empty if the draft is valid. */
export interface FieldErrors {
    readonly userId?: string;
    readonly payload?: string;
}

/** Validates a draft. The server may still reject the user ID for reasons that are not checked here. */
export function validate({ userId, payload }: Draft): FieldErrors {
    return {
        ...(/^[!-~]{1,128}$/.test(userId.trim())
            ? {}
            : { userId: "Enter a user ID: 1 to 128 letters, digits and punctuation marks, without spaces." }),
        ...validatePayload(payload),
    };
}

function validatePayload(payload: string): FieldErrors {
    if (payload.trim() === "") return { payload: "Enter a JSON value, such as { \"text\": \"hello\" }." };
    try {
        JSON.parse(payload);
        return {};
    } catch (error) {
        const reason = error instanceof Error ? error.message : "it can't be parsed";
        return { payload: `This is not JSON: ${reason}.` };
    }
}

/** Returns the body of the request that sends a valid draft. */
export function requestBody(draft: Draft, id: string, now: number): Readonly<Record<string, unknown>> {
    const { userId, payload, whenOffline, expiresAfter } = draft;
    return {
        id,
        userId: userId.trim(),
        payload: JSON.parse(payload) as unknown,
        whenOffline,
        ...(expiresAfter > 0 ? { expiresAt: now + expiresAfter } : {}),
        kind: "test",
        source: "console",
    };
}
