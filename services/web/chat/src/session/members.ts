import { type Client, TidingsError } from "@tidings/client";

/** More than this many are not asked for: nobody reads such a list. */
const MOST = 500;

/** Who is in a hub; `undefined` when the gateway doesn't tell. @throws TidingsError */
export async function members(client: Client, hub: string): Promise<readonly string[] | undefined> {
    const found: string[] = [];
    try {
        let after: string | undefined;
        do {
            const page = await client.members(after === undefined ? { hub } : { hub, after });
            found.push(...page.users);
            after = page.next;
        } while (after !== undefined && found.length < MOST);
    } catch (error) {
        if (error instanceof TidingsError && ["unknown-action", "forbidden"].includes(error.code)) return undefined;
        throw error;
    }
    return found;
}
