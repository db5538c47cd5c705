import type { Delivery, ServerFrame } from "./frames.ts";

/** A notification as it arrives. */
export interface Arrival extends Delivery {
    /** The error, if it could not be read; then it has no payload. */
    readonly unreadable?: unknown;
}

/** Beginnings of a frame with several notifications, and of a notification, as gateways write them. */
const BATCH = /^\{"type":"notifications","items":\[/;
const HEAD = /^\{(?:"type":"notification",)?"id":("(?:[^"\\]|\\.)*"),"sequence":"(\d+)"/;

/** Parses a frame. Returns `undefined` for anything else. */
export function parse(text: string): ServerFrame | undefined {
    let frame: unknown;
    try {
        frame = JSON.parse(text);
    } catch {
        return salvage(text);
    }
    if (typeof frame !== "object" || frame === null) return undefined;
    if (!("type" in frame) && "message" in frame && "requestId" in frame) {
        // API Gateway itself sends this when a function failed.
        return { ...frame, type: "error", code: "internal" } as ServerFrame;
    }
    return frame as ServerFrame;
}

/**
 * Parses the notifications of a frame one by one, because one that is nested too deep for the runtime must neither hide
 * the others nor come again with every connection.
 */
function salvage(text: string): ServerFrame | undefined {
    const batch = BATCH.exec(text);
    const items = (batch === null ? [text] : split(text, batch[0].length)).flatMap((item): Arrival[] => {
        try {
            return [JSON.parse(item) as Delivery];
        } catch (unreadable) {
            const [, id, sequence] = HEAD.exec(item) ?? [];
            if (id === undefined || sequence === undefined) return [];
            return [{ id: JSON.parse(id) as string, sequence, unreadable } as Arrival];
        }
    });
    return items.length === 0 ? undefined : { type: "notifications", items };
}

/** Returns the texts of the objects in an array that begins at `start`. */
function split(text: string, start: number): string[] {
    const items: string[] = [];
    let depth = 0;
    let begin = start;
    // Strings as a whole, so that brackets in them don't count.
    const tokens = /"(?:[^"\\]|\\.)*"|[[\]{}]/g;
    tokens.lastIndex = start;
    for (let token = tokens.exec(text); token !== null; token = tokens.exec(text)) {
        const [found] = token;
        if (found === "{" || found === "[") {
            if (depth === 0) begin = token.index;
            depth += 1;
        } else if (found === "}" || found === "]") {
            depth -= 1;
            if (depth === 0) items.push(text.slice(begin, tokens.lastIndex));
            if (depth < 0) break;
        }
    }
    return items;
}
