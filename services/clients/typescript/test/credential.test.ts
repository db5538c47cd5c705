import { describe, expect, it } from "vitest";
import { credentialOf, handshakeOf } from "../src/credential.ts";

describe("credentials", () => {
    const jwt = (claims: object): string =>
        ["{}", JSON.stringify(claims), ""].map((part) => Buffer.from(part).toString("base64url")).join(".");

    it("expire with their JSON Web Token", () => {
        expect(credentialOf(jwt({ exp: 1_800_000_000, name: "Zoë ÿÿÿ" })).expiresAt).toBe(1_800_000_000_000);
        expect(credentialOf(jwt({ exp: "soon" }))).not.toHaveProperty("expiresAt");
        for (const other of ["opaque", "a.b.c", "a.%%%.c", "a..c"]) expect(credentialOf(other)).toEqual({ token: other });
        expect(credentialOf({ token: jwt({ exp: 1 }), expiresAt: 5 }).expiresAt).toBe(5);
    });

    it("go into the query or into a subprotocol", () => {
        const url = "wss://gateway.test/ws?format=batch";
        expect(handshakeOf(url, "t&k", "query", true)).toEqual({
            url: "wss://gateway.test/ws?format=batch&protocol=tidings.v1&acknowledge=true&token=t%26k",
            protocols: [],
        });
        expect(handshakeOf(url, "abc", "subprotocol", false)).toEqual({
            url: "wss://gateway.test/ws?format=batch&protocol=tidings.v1",
            protocols: ["tidings.v1", "token.abc"],
        });
        expect(handshakeOf(url, "a.b.c", "subprotocol", true).protocols).toEqual(["tidings.v1", "jwt.a.b.c"]);
        expect(handshakeOf(url, undefined, "subprotocol", true).protocols).toEqual([]);
    });
});
