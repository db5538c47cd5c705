/** How a connection proves whose it is: with a token that is good once, or with the login's own token. */
export type Handshake = "token" | "jwt";

/** What shows who is logged in. */
export interface Credential {
    readonly userId: string;
    readonly guest: boolean;
    /** A JSON Web Token. */
    readonly idToken: string;
    /** When it ends, in milliseconds since the Unix epoch, if it does. */
    readonly expiresAt?: number;
    readonly handshake: Handshake;
}

/** What of a JSON Web Token can be read without its issuer. Whether it is genuine, the gateway decides. */
export interface Claims {
    readonly userId: string;
    readonly name?: string;
    readonly issuer?: string;
    readonly expiresAt?: number;
}

/** What a token says, if it is a JSON Web Token that names a user. */
export function claimsOf(token: string): Claims | undefined {
    const [, payload, signature] = token.split(".");
    if (payload === undefined || signature === undefined) return undefined;
    try {
        const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
        const claims = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
        const { sub, user_id: user, exp, iss } = claims;
        const userId = [sub, user].find((id): id is string => typeof id === "string" && id !== "");
        if (userId === undefined) return undefined;
        const names = [claims["preferred_username"], claims["username"], claims["name"]];
        const name = names.find((text): text is string => typeof text === "string" && text !== "");
        return {
            userId,
            ...(name === undefined ? {} : { name }),
            ...(typeof iss === "string" ? { issuer: iss } : {}),
            ...(typeof exp === "number" ? { expiresAt: exp * 1000 } : {}),
        };
    } catch {
        return undefined;
    }
}

/** A token as people paste it, with or without what stands before it in a header. */
export function trimmed(pasted: string): string {
    return pasted.trim().replace(/^(authorization:\s*)?bearer\s+/i, "");
}

/** By which names an issuer may send a token along with a link. */
const PARAMETERS = ["access_token", "id_token"];

/**
 * The token that came with the link, if one did. It is taken out of the address at once, so that it stays in no
 * history and gets into no bookmark and no `Referer`.
 */
export function takeFromAddress(location: Location, history: History): string | undefined {
    const address = new URL(location.href);
    const fragment = new URLSearchParams(address.hash.slice(1));
    const [found] = PARAMETERS.flatMap((name) => [fragment.get(name), address.searchParams.get(name)]).filter(
        (token) => token !== null,
    );
    if (found === undefined) return undefined;
    for (const name of PARAMETERS) address.searchParams.delete(name);
    address.hash = "";
    history.replaceState(null, "", address);
    return trimmed(found);
}
