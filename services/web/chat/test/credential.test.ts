import { expect, test } from "vitest";
import { claimsOf, takeFromAddress, trimmed } from "../src/login/credential.ts";

function token(claims: unknown): string {
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    return `${part({ alg: "none" })}.${part(claims)}.c2ln`;
}

test("a token's user, name, issuer and end", () => {
    expect(claimsOf(token({ sub: "u-1", name: "Jörg", iss: "https://login.example.com", exp: 1000 }))).toEqual({
        userId: "u-1",
        name: "Jörg",
        issuer: "https://login.example.com",
        expiresAt: 1_000_000,
    });
    expect(claimsOf(token({ user_id: "jo" }))).toEqual({ userId: "jo" });
});

test.each(["", "a.b", "a.b.c", token({}), token("x"), token(null)])("%j names nobody", (text) => {
    expect(claimsOf(text)).toBeUndefined();
});

test.each(["abc", " abc\n", "Bearer abc", "Authorization: Bearer abc"])("%j is pasted", (text) => {
    expect(trimmed(text)).toBe("abc");
});

test.each([
    ["https://t.example/?access_token=abc&x=1", "abc", "https://t.example/?x=1"],
    ["https://t.example/#id_token=abc&state=1", "abc", "https://t.example/"],
    ["https://t.example/?x=1#part", undefined, undefined],
])("of %s the token is taken out", (href, found, left) => {
    const replaced: string[] = [];
    const history = { replaceState: (_: unknown, __: string, url: URL) => replaced.push(url.href) };
    expect(takeFromAddress({ href } as Location, history as unknown as History)).toBe(found);
    expect(replaced).toEqual(left === undefined ? [] : [left]);
});
