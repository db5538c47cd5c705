import { type Client, type SendResult, TidingsError } from "@tidings/client";
import type { Info } from "../login/api.ts";
import type { DirectMessageBody } from "../state/parse-notification.ts";
import { hubOf, userOf } from "../state/selectors.ts";
import type { Entry } from "../state/types.ts";

/**
 * Sends a message. A hub's message goes to its connected members, the sender included. A direct message is held while
 * the recipient is offline; the sender gets a copy, for their other tabs and their history.
 *
 * @returns the notification's id
 * @throws TidingsError
 */
export async function sendMessage(client: Client, entry: Entry, me: string, policy: Info["sending"]): Promise<string> {
    const { conversation, key, text } = entry;
    const hub = hubOf(conversation);
    if (hub !== undefined) {
        // Gateways take this text for a heartbeat if it is sent by `sendmessage`.
        const sent = text === "ping" ? client.message(text, { hub }, { id: key }) : client.broadcast(text, { hub, id: key });
        const { id, results } = await sent;
        throwIfRefused(results);
        return id;
    }
    const user = userOf(conversation);
    if (user === undefined) throw new TidingsError("bad-request", "messages can't be sent to programs");
    const body: DirectMessageBody = { text, to: user, key };
    const copy = { ...body };
    // Where the policy may refuse the recipient, send the copy only after the message was accepted.
    const together = policy === "anyone" && user !== me;
    const { id, results } = await client.send(together ? [user, me] : [user], copy, { id: key });
    throwIfRefused(results);
    if (!together && user !== me) await client.send([me], copy, { id: `${key}-own` });
    return id;
}

function throwIfRefused([first]: readonly SendResult[]): void {
    if (first?.accepted === true) return;
    throw new TidingsError(first?.code ?? "internal", "you can't send messages to this user");
}
