/** Proof of the user's identity for one handshake. */
export interface Credential {
    /** A single-use connect token or a JSON Web Token. */
    readonly token: string;
    /**
     * Time at which the credential expires, in milliseconds since the Unix epoch. When absent, it is read from the
     * token if that is a JSON Web Token. The client opens a new connection with a new credential before this time.
     */
    readonly expiresAt?: number;
}

/** Completes the result of a `token` function with the token's expiry, if the token has one. */
export function credentialOf(result: string | Credential): Credential {
    if (typeof result !== "string") return result;
    const expiresAt = expiryOf(result);
    return expiresAt === undefined ? { token: result } : { token: result, expiresAt };
}

/**
 * Returns the expiry of a JSON Web Token in milliseconds since the Unix epoch
 * (https://www.rfc-editor.org/rfc/rfc7519#section-4.1.4), or `undefined` for any other text.
 */
function expiryOf(token: string): number | undefined {
    const [, payload] = token.split(".");
    if (payload === undefined) return undefined;
    try {
        const claims: unknown = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
        const { exp } = claims as { exp?: unknown };
        return typeof exp === "number" ? exp * 1000 : undefined;
    } catch {
        // Not a JSON Web Token. The gateway decides if it accepts it.
        return undefined;
    }
}

/** Part of the handshake that carries the credential. A subprotocol keeps it out of logs of URLs. */
export type TokenLocation = "query" | "subprotocol";

/** Returns the URL and the subprotocols of a handshake. */
export function handshakeOf(
    url: string,
    token: string | undefined,
    location: TokenLocation,
    acknowledge: boolean,
): { url: string; protocols: string[] } {
    const address = new URL(url);
    const query = address.searchParams;
    query.set("protocol", "tidings.v1");
    if (acknowledge) query.set("acknowledge", "true");
    if (token === undefined) return { url: address.href, protocols: [] };
    if (location === "query") {
        query.set("token", token);
        return { url: address.href, protocols: [] };
    }
    const kind = token.split(".").length === 3 ? "jwt" : "token";
    return { url: address.href, protocols: ["tidings.v1", `${kind}.${token}`] };
}
