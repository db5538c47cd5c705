// Runs the Node.js programs of the documentation against a real server.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Program } from "@tidings/testing/program";
import { Server } from "@tidings/testing/server";
import { bundled, snippet } from "@tidings/testing/snippets";
import { afterEach, describe, expect, it } from "vitest";

const CLIENTS = "docs/how-to/clients.md";
const VECTORS = fileURLToPath(new URL("../../../../contracts/notifications/v1/fixtures/home-queues.json", import.meta.url));
const README = "services/clients/typescript/README.md";

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
});

async function start(code: string, config = ""): Promise<{ server: Server; program: Program }> {
    const server = await Server.start(config);
    cleanUp.push(() => server.remove());
    // Bundled with the client, so that the package need not be built.
    const main = await bundled(code, { platform: "node", external: ["ws"] });
    const program = new Program(server, { "main.mjs": main });
    cleanUp.push(() => program.remove());
    return { server, program };
}

describe("programs of the documentation", { timeout: 120_000 }, () => {
    it("sends and receives in Node.js", async () => {
        const { server, program } = await start(snippet(CLIENTS, "node"), "[limits]\npayload_depth = 20000");
        expect(await program.line()).toBe('order-1042-packed {"order":1042}');
        // JSON.stringify follows only some levels.
        const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
        await server.call("/v1/notifications", `{"userId":"alice","id":"deep","payload":${deep}}`);
        expect(await program.line()).toBe("deep (nested too deeply to show)");
        await server.produce("alice", 7, 9);
        expect([await program.line(), await program.line()]).toEqual(['alice-7 {"n":7}', 'alice-8 {"n":8}']);
    });

    it("finds the queue of a user", async () => {
        const folder = await mkdtemp(join(tmpdir(), "tidings-home-queue-"));
        cleanUp.push(() => rm(folder, { recursive: true }));
        const main = join(folder, "main.mjs");
        await writeFile(main, snippet(CLIENTS, "home-queue"));
        const vectors = JSON.parse(await readFile(VECTORS, "utf8")) as { group: string; queues: [number, number][] }[];
        expect(vectors.length).toBeGreaterThan(3);
        for (const { group, queues } of vectors) {
            for (const [count, index] of queues) {
                const urls = Array.from({ length: count }, (_, queue) => `https://sqs.example/${String(queue)}`);
                const { stdout } = await promisify(execFile)(process.execPath, [main, group, ...urls]);
                expect(stdout).toBe(`https://sqs.example/${String(index)}\n`);
            }
        }
    });

    it("passes a WebSocket class, as in the README", async () => {
        const before = `
            import { connect } from "@tidings/client";
            const url = process.env.TIDINGS_URL.replace("http", "ws") + "/ws";
            const token = async () => {
                const { readFileSync } = await import("node:fs");
                const headers = { Authorization: "Bearer " + readFileSync("tidings-data/api-key", "utf8") };
                const body = JSON.stringify({ userId: "alice" });
                const answer = await fetch(process.env.TIDINGS_URL + "/v1/token", { method: "POST", headers, body });
                return (await answer.json()).token;
            };
        `;
        const after = "console.log((await client.whoami()).userId);";
        const { program } = await start(`${before}\n${snippet(README, "ws")}\n${after}`);
        expect(await program.line()).toBe("alice");
    });
});
