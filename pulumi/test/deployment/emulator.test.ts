import { request } from "node:http";
import { createConnection } from "node:net";
import { mkdtempSync, readdirSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { startEmulator, type Emulator } from "./emulator.js";

test("the emulator deletes its temporary files when it ends", async () => {
    const folder = mkdtempSync(join(tmpdir(), "emulator-"));
    const { stop } = await startEmulator({ TMPDIR: folder, AWS_ENDPOINT_URL: "" });
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^tidings-emulator-/)]);
    stop();
    await vi.waitFor(() => { expect(readdirSync(folder)).toEqual([]); }, 30_000);
});

describe("the emulator", () => {
    let emulator: Emulator;
    beforeAll(async () => {
        emulator = await startEmulator({ AWS_ENDPOINT_URL: "" });
    });
    afterAll(() => {
        emulator.stop();
    });

    /** Sends a request as a web page can send one without asking, and returns the status of the answer. */
    function post(path: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> {
        return new Promise((resolve, reject) => {
            const sent = request(`${emulator.url}${path}`, { method: "POST", headers: { "content-type": "text/plain", ...headers } }, (answer) => {
                answer.resume();
                resolve(answer.statusCode);
            });
            sent.on("error", reject).end(JSON.stringify({ FunctionName: "page", Role: "arn:aws:iam::000000000000:role/page", Code: {} }));
        });
    }

    const FUNCTIONS = "/2015-03-31/functions";

    test.each([
        ["a page of another origin", { origin: "https://page.example" }],
        ["a page without an origin of its own", { origin: "null" }],
        ["a page of another site that sends no origin", { "sec-fetch-site": "cross-site" }],
        ["a name that resolves to this machine", { host: "page.example:4566" }],
        ["an address of a name that begins as this machine", { host: "localhost.page.example" }],
    ])("refuses %s", async (_, headers) => {
        expect(await post(FUNCTIONS, headers)).toBe(403);
    });

    test.each([
        ["a program", {}],
        ["a page of this machine", { origin: "http://localhost:5173", "sec-fetch-site": "same-site" }],
        ["a name of the emulator", { host: "sqs.us-east-1.localhost.localstack.cloud:4566" }],
    ])("answers %s", async (_, headers) => {
        expect(await post(FUNCTIONS, headers)).not.toBe(403);
    });

    test("refuses a WebSocket to a name that resolves to this machine", async () => {
        const upgrade = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" };
        const status = await new Promise((resolve, reject) => {
            const sent = request(`${emulator.url}/_aws/execute-api/a/v1`, { headers: { ...upgrade, host: "page.example:4566" } }, (answer) => {
                answer.resume();
                resolve(answer.statusCode);
            });
            sent.on("upgrade", (_, socket) => {
                socket.destroy();
                resolve(101);
            });
            sent.on("error", reject).end();
        });
        expect(status).toBe(403);
    });

    test("does not listen on other addresses than loopback", async () => {
        const others = Object.values(networkInterfaces()).flatMap((of = []) => of.filter(({ internal, family }) => !internal && family === "IPv4"));
        for (const { address } of others) {
            const connected = await new Promise((resolve) => {
                const socket = createConnection(Number(new URL(emulator.url).port), address);
                socket.once("connect", () => {
                    socket.destroy();
                    resolve(true);
                });
                socket.once("error", () => {
                    resolve(false);
                });
            });
            expect(connected, address).toBe(false);
        }
    });
});
