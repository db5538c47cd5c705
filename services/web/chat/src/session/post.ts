import { type Client, type SendResult, TidingsError } from "@tidings/client";
import type { Info } from "../login/server.ts";
import type { OwnBody } from "../state/read.ts";
import type { Entry } from "../state/types.ts";
import { hubOf, userOf } from "../state/view.ts";

/**
 * Sends a message. What goes to a hub is for who is in it, the sender among them. What goes to a user is held while
 * they are away; the sender is sent it too, so that it is in all their tabs, and in their history.
 *
 * @returns the notification's id
 * @throws TidingsError
 */
export async function post(client: Client, entry: Entry, me: string, sending: Info["sending"]): Promise<string> {
    const { place, key, text } = entry;
    const hub = hubOf(place);
    if (hub !== undefined) {
        // Gateways take this text for a heartbeat when it comes as `sendmessage`.
        const plain = text === "ping" ? client.message(text, { hub }, { id: key }) : client.broadcast(text, { hub, id: key });
        const { id, results } = await plain;
        return accepted(id, results);
    }
    const user = userOf(place);
    if (user === undefined) throw new TidingsError("bad-request", "nobody can be written to here");
    const body: OwnBody = { text, to: user, key };
    const copy = { ...body };
    // Where it may be refused for this user, the sender's own must not say otherwise.
    const together = sending === "anyone" && user !== me;
    const { id, results } = await client.send(together ? [user, me] : [user], copy, { id: key });
    accepted(id, results);
    if (!together && user !== me) await client.send([me], copy, { id: `${key}-own` });
    return id;
}

function accepted(id: string, results: readonly SendResult[]): string {
    const [first] = results;
    if (first?.accepted !== true) throw new TidingsError(first?.code ?? "internal", "this user can't be written to from here");
    return id;
}
