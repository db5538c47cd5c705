// Tests of credentials and of API Gateway's limits, against a real server process.
import { describe, expect, it } from "vitest";
import { isOpen, listen, received, serve, stateOf, upTo } from "./harness.ts";

const LIKE_AWS = "[connections]\nlike_aws = true\n";

describe("credentials and limits", { timeout: 120_000 }, () => {
    it("a valid JSON Web Token is accepted and a forged one refused", async () => {
        const server = await serve("[handshake]\njwt = true\n");
        const person = JSON.stringify({ username: "alice", password: "correct horse battery" });
        await server.call("/v1/users", person);
        const { idToken } = (await server.call("/v1/login", person)) as { idToken: string };
        for (const tokenIn of ["subprotocol", "query"] as const) {
            const client = listen(server, "alice", { tokenIn, token: () => Promise.resolve(idToken) });
            expect(await client.whoami()).toMatchObject({ userId: "alice", method: "jwt" });
            // The expiry is that of the token.
            expect((await client.whoami()).expiresAt).toBeGreaterThan(Date.now());
            await client.close();
        }
        const [head, , signature] = idToken.split(".");
        const forged = `${head}.${btoa('{"sub":"bob"}').replaceAll("=", "")}.${signature}`;
        const stranger = listen(server, "bob", { tokenIn: "subprotocol", token: () => Promise.resolve(forged) });
        await stateOf(stranger, ({ status }) => status === "waiting");
        expect(stranger.state).toMatchObject({ reason: { why: "refused" } });
    });

    it("thousands of acks fit the frames of API Gateway", async () => {
        const server = await serve(LIKE_AWS);
        const count = 2000;
        await server.produce("alice", 0, count);
        const client = listen(server, "alice", { ackBatch: count, ackDelay: 60_000 });
        const { numbers, until } = received(client);
        await until(count);
        // Returns when everything is confirmed.
        await client.close();
        expect(numbers).toEqual(upTo(count));
        await server.produce("alice", count, count + 1);
        const after = received(listen(server, "alice"));
        await after.until(1);
        expect(after.numbers).toEqual([count]);
    });

    it("the largest notifications arrive, in many frames", async () => {
        const server = await serve(LIKE_AWS);
        const text = "x".repeat(130_000);
        const body = JSON.stringify({ userId: "alice", payload: text });
        for (let n = 0; n < 3; n += 1) await server.call("/v1/notifications", body);
        const client = listen(server, "alice");
        const notifications = client[Symbol.asyncIterator]();
        for (let n = 0; n < 3; n += 1) expect((await notifications.next()).value?.payload).toBe(text);
    });

    it("a message that is too large is rejected and the next sent", async () => {
        const server = await serve(`${LIKE_AWS}[client_messages]\npolicy = "anyone"\n`);
        const client = listen(server, "alice");
        await stateOf(client, isOpen);
        const large = client.send(["bob"], { text: "x".repeat(40_000) });
        await expect(large).rejects.toMatchObject({ code: "bad-request" });
        const small = await client.send(["bob"], { text: "x".repeat(30_000) });
        expect(small.results).toEqual([{ to: "bob", accepted: true }]);
    });
});
