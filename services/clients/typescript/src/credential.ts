/** What proves to the gateway who the user is, for one handshake. */
export interface Credential {
    /** A single-use connect token, or a JSON Web Token. */
    readonly token: string;
    /**
     * When it ends, in milliseconds since the Unix epoch; read from the token when absent, if that is a JSON Web
     * Token. A new connection with a new credential is opened before.
     */
    readonly expiresAt?: number;
}

/** The credential a `token` function gave. */
export function credentialOf(given: string | Credential): Credential {
    if (typeof given !== "string") return given;
    const expiresAt = expiryOf(given);
    return expiresAt === undefined ? { token: given } : { token: given, expiresAt };
}

/** When a JSON Web Token ends, in milliseconds since the Unix epoch (https://www.rfc-editor.org/rfc/rfc7519#section-4.1.4). */
function expiryOf(token: string): number | undefined {
    const [, payload] = token.split(".");
    if (payload === undefined) return undefined;
    try {
        const claims: unknown = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
        const { exp } = claims as { exp?: unknown };
        return typeof exp === "number" ? exp * 1000 : undefined;
    } catch {
        // It is no JSON Web Token; whether it is good for something the gateway decides.
        return undefined;
    }
}

/** Where a credential goes: into the query, or into a subprotocol, which keeps it out of logs of URLs. */
export type TokenPlace = "query" | "subprotocol";

/** Address and subprotocols of a handshake. */
export function handshakeOf(
    url: string,
    token: string | undefined,
    place: TokenPlace,
    acknowledge: boolean,
): { url: string; protocols: string[] } {
    const address = new URL(url);
    const query = address.searchParams;
    query.set("protocol", "tidings.v1");
    if (acknowledge) query.set("acknowledge", "true");
    if (token === undefined) return { url: address.href, protocols: [] };
    if (place === "query") {
        query.set("token", token);
        return { url: address.href, protocols: [] };
    }
    const kind = token.split(".").length === 3 ? "jwt" : "token";
    return { url: address.href, protocols: ["tidings.v1", `${kind}.${token}`] };
}
