import { type Client, TidingsError } from "@tidings/client";

/** Maximum number of members to fetch: nobody reads a longer list. */
const MAX_MEMBERS = 500;

/** Fetches a hub's connected members. Returns `undefined` if the gateway doesn't tell. @throws TidingsError */
export async function fetchMembers(client: Client, hub: string): Promise<readonly string[] | undefined> {
    const found: string[] = [];
    try {
        let after: string | undefined;
        do {
            const page = await client.members(after === undefined ? { hub } : { hub, after });
            found.push(...page.users);
            after = page.next;
        } while (after !== undefined && found.length < MAX_MEMBERS);
    } catch (error) {
        if (error instanceof TidingsError && ["unknown-action", "forbidden"].includes(error.code)) return undefined;
        throw error;
    }
    return found;
}
