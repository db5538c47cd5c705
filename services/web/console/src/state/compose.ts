/** A test notification as it stands in the form. */
export interface Draft {
    readonly userId: string;
    readonly payload: string;
    readonly whenOffline: "hold" | "drop";
    /** After how many milliseconds it expires; 0 for never. */
    readonly expiresAfter: number;
}

export const EXPIRIES: readonly { readonly label: string; readonly after: number }[] = [
    { label: "never", after: 0 },
    { label: "after 10 seconds", after: 10_000 },
    { label: "after a minute", after: 60_000 },
    { label: "after an hour", after: 3_600_000 },
    { label: "after a day", after: 86_400_000 },
];

export const FIRST: Draft = {
    userId: "",
    payload: '{ "text": "A test from the console" }',
    whenOffline: "hold",
    expiresAfter: 0,
};

/** What is wrong with a draft, by field; nothing when it can be sent. */
export interface Mistakes {
    readonly userId?: string;
    readonly payload?: string;
}

/** Looks for mistakes. What the server allows of a user id is said by the server if this lets it through. */
export function check({ userId, payload }: Draft): Mistakes {
    return {
        ...(/^[!-~]{1,128}$/.test(userId.trim())
            ? {}
            : { userId: "Give a user: 1 to 128 letters, digits and punctuation, without blanks." }),
        ...payloadMistake(payload),
    };
}

function payloadMistake(payload: string): Mistakes {
    if (payload.trim() === "") return { payload: "Give a JSON value, such as { \"text\": \"hello\" }." };
    try {
        JSON.parse(payload);
        return {};
    } catch (error) {
        const why = error instanceof Error ? error.message : "it can't be read";
        return { payload: `This is not JSON: ${why}.` };
    }
}

/** The body that the server gets. */
export function body(draft: Draft, id: string, now: number): Readonly<Record<string, unknown>> {
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

/** An id for a notification, or for an operator; `crypto.randomUUID` is missing in pages without TLS. */
export function randomId(prefix: string): string {
    const bytes = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0"));
    return `${prefix}-${bytes.join("")}`;
}
