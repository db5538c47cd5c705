// Opens WebSockets in a browser with each documented subprotocol, without the client of this repository.
import type { Server } from "@tidings/testing/server";
import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { Visitor } from "./browser.ts";
import { setUp } from "./setup.ts";

const SECRET = "a secret of at least 32 characters";

const setup = setUp(`
[handshake]
jwt = true
jwt_issuers = [{ issuer = "test", algorithm = "HS256", secret = "env:TIDINGS_TEST_JWT_SECRET" }]
`);
process.env["TIDINGS_TEST_JWT_SECRET"] = SECRET;

/** Returns a JSON Web Token of a user. */
function jwt(userId: string): string {
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.floor(Date.now() / 1_000) + 600;
    const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ iss: "test", aud: "tidings", sub: userId, exp })}`;
    return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}

/** What a page sees of a WebSocket: the chosen subprotocol, and the numbers of its notifications. */
interface Seen {
    readonly protocol: string;
    readonly numbers: readonly number[];
}

/** Opens a WebSocket and reads three notifications. Returns `undefined` if the connection fails. */
async function read(visitor: Visitor, server: Server, protocols: readonly string[]): Promise<Seen | undefined> {
    const url = `${server.url.replace("http", "ws")}/ws`;
    const seen = await visitor.page.evaluate(
        async ({ address, offers }) =>
            new Promise<{ protocol: string; numbers: number[] } | null>((resolve) => {
                const socket = new WebSocket(address, offers);
                const numbers: number[] = [];
                socket.onmessage = ({ data }: MessageEvent<string>) => {
                    const frame = JSON.parse(data) as Frame;
                    for (const item of frame.type === "notifications" ? (frame.items ?? []) : [frame]) {
                        if (item.payload !== undefined) numbers.push(item.payload.n);
                    }
                    if (numbers.length >= 3) {
                        resolve({ protocol: socket.protocol, numbers });
                        socket.onclose = null;
                        socket.close();
                    }
                };
                socket.onclose = () => {
                    resolve(null);
                };
            }),
        { address: url, offers: [...protocols] },
    );
    return seen ?? undefined;
}

/** A frame with a notification, or with several. */
interface Frame {
    readonly type?: string;
    readonly payload?: { readonly n: number };
    readonly items?: readonly Frame[];
}

type Offer = (server: Server, user: string) => Promise<string[]>;

const token: Offer = async (server, user) => [`token.${await server.token(user)}`];
const idToken: Offer = async (_, user) => Promise.resolve([`jwt.${jwt(user)}`]);
const withProtocol =
    (offer: Offer): Offer =>
    async (server, user) => ["tidings.v1", ...(await offer(server, user))];

test.each([
    ["tidings.v1 and a token", withProtocol(token)],
    ["a token alone", token],
    ["tidings.v1 and a JSON Web Token", withProtocol(idToken)],
    ["a JSON Web Token alone", idToken],
] as const)("a page connects with %s", async (name, offer) => {
    const { browser, server } = setup;
    const user = name.replaceAll(" ", "-");
    await server.produce(user, 0, 3);
    const visitor = await Visitor.open(browser, server.url);
    const offers = await offer(server, user);
    expect(await read(visitor, server, offers)).toEqual({ protocol: offers[0], numbers: [0, 1, 2] });
    await visitor.close();
});

test("an unknown subprotocol fails and loses nothing", async () => {
    const { browser, server } = setup;
    await server.produce("unknown", 0, 3);
    const visitor = await Visitor.open(browser, server.url);
    const credential = await token(server, "unknown");
    expect(await read(visitor, server, ["my-app.v2"])).toBeUndefined();
    // With a token too, which is still good afterwards.
    expect(await read(visitor, server, ["my-app.v2", ...credential])).toBeUndefined();
    const seen = await read(visitor, server, ["tidings.v1", ...credential]);
    expect(seen).toEqual({ protocol: "tidings.v1", numbers: [0, 1, 2] });
    await visitor.close();
});
