import { expect, test } from "vitest";
import { decodeClaims, takeTokenFromUrl, trimToken } from "../src/login/credential.ts";

function token(claims: unknown): string {
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    return `${part({ alg: "none" })}.${part(claims)}.c2ln`;
}

test("the claims of a token are decoded", () => {
    expect(decodeClaims(token({ sub: "u-1", name: "Jörg", iss: "https://login.example.com", exp: 1000 }))).toEqual({
        userId: "u-1",
        name: "Jörg",
        issuer: "https://login.example.com",
        expiresAt: 1_000_000,
    });
    expect(decodeClaims(token({ user_id: "jo" }))).toEqual({ userId: "jo" });
});

test.each(["", "a.b", "a.b.c", token({}), token("x"), token(null)])("%j names no user", (text) => {
    expect(decodeClaims(text)).toBeUndefined();
});

test.each(["abc", " abc\n", "Bearer abc", "Authorization: Bearer abc"])("%j is trimmed to the token", (text) => {
    expect(trimToken(text)).toBe("abc");
});

test.each([
    ["https://t.example/?access_token=abc&x=1", "abc", "https://t.example/?x=1"],
    ["https://t.example/#id_token=abc&state=1", "abc", "https://t.example/"],
    ["https://t.example/?x=1#part", undefined, undefined],
])("the token is taken out of %s", (href, found, left) => {
    const replaced: string[] = [];
    const history = { replaceState: (_: unknown, __: string, url: URL) => replaced.push(url.href) };
    expect(takeTokenFromUrl({ href } as Location, history as unknown as History)).toBe(found);
    expect(replaced).toEqual(left === undefined ? [] : [left]);
});
