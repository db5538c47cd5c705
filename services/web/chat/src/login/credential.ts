/** Proof of identity in a handshake: a single-use connect token, or the JSON Web Token of the login itself. */
export type Handshake = "token" | "jwt";

/** Credential of a logged-in user. */
export interface Credential {
    readonly userId: string;
    readonly guest: boolean;
    /** A JSON Web Token. */
    readonly idToken: string;
    /** Expiry in milliseconds since the Unix epoch. Absent if the token does not expire. */
    readonly expiresAt?: number;
    readonly handshake: Handshake;
}

/** Claims of a JSON Web Token, not verified: only the gateway can decide if the token is genuine. */
export interface Claims {
    readonly userId: string;
    readonly name?: string;
    readonly issuer?: string;
    readonly expiresAt?: number;
}

/** Decodes a token. Returns `undefined` if it is not a JSON Web Token that names a user. */
export function decodeClaims(token: string): Claims | undefined {
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

/** Strips blanks and the start of an `Authorization` header from a pasted token. */
export function trimToken(pasted: string): string {
    return pasted.trim().replace(/^(authorization:\s*)?bearer\s+/i, "");
}

/** URL parameters in which an issuer may send a token. */
const PARAMETERS = ["access_token", "id_token"];

/**
 * Returns the token in the URL of the page, if there is one. It also removes the token from the URL, so that it gets
 * into no history, bookmark or `Referer` header.
 */
export function takeTokenFromUrl(location: Location, history: History): string | undefined {
    const address = new URL(location.href);
    const fragment = new URLSearchParams(address.hash.slice(1));
    const [found] = PARAMETERS.flatMap((name) => [fragment.get(name), address.searchParams.get(name)]).filter(
        (token) => token !== null,
    );
    if (found === undefined) return undefined;
    for (const name of PARAMETERS) address.searchParams.delete(name);
    address.hash = "";
    history.replaceState(null, "", address);
    return trimToken(found);
}
