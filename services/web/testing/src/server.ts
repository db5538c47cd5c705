import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The program under test: what TIDINGS_BINARY names, or what was built here. */
function binary(): string {
    const named = process.env["TIDINGS_BINARY"];
    const built = ["debug", "release"].map((profile) =>
        fileURLToPath(new URL(`../../../../target/${profile}/tidings`, import.meta.url)),
    );
    const found = (named === undefined ? built : [named]).find((path) => existsSync(path));
    if (found === undefined) {
        const where = named ?? built.join(" and ");
        throw new Error(`there is no server at ${where}: run \`cargo build --package tidings\`, or set TIDINGS_BINARY`);
    }
    return found;
}

/** A server process with a data directory of its own, which it keeps over restarts. */
export class Server {
    readonly #directory = mkdtempSync(join(tmpdir(), "tidings-web-"));
    #process: ChildProcess | undefined;
    #url = "";

    readonly #flags: readonly string[];

    private constructor(flags: readonly string[]) {
        this.#flags = flags;
    }

    /** Starts one; `config` is what differs from the defaults, and `flags` are more of `tidings serve`. */
    static async start(config = "", ...flags: string[]): Promise<Server> {
        const server = new Server(flags);
        writeFileSync(join(server.#directory, "tidings.toml"), config);
        try {
            await server.start();
        } catch (error) {
            await server.remove();
            throw error;
        }
        return server;
    }

    /** Where it is: `http://127.0.0.1:` and its port, which is another after a restart. */
    get url(): string {
        return this.#url;
    }

    get port(): number {
        return Number(new URL(this.#url).port);
    }

    /** What operators and producers prove themselves by. */
    get apiKey(): string {
        return readFileSync(join(this.#directory, "data", "api-key"), "utf8").trim();
    }

    async start(): Promise<void> {
        const data = join(this.#directory, "data");
        const config = join(this.#directory, "tidings.toml");
        const args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data, "--config", config, ...this.#flags];
        const child = spawn(binary(), args, { stdio: ["ignore", "pipe", "pipe"] });
        this.#process = child;
        const said: string[] = [];
        child.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString()));
        for await (const line of createInterface(child.stdout)) {
            const [, url] = /ready at (http:\S+)/.exec(line) ?? [];
            if (url !== undefined) {
                this.#url = url;
                child.stdout.resume();
                return;
            }
        }
        throw new Error(`the server did not start: ${said.join("")}`);
    }

    /** `kill -9`. */
    async kill(): Promise<void> {
        const child = this.#process;
        if (child?.exitCode !== null || child.signalCode !== null) return;
        child.kill("SIGKILL");
        await once(child, "exit");
    }

    async remove(): Promise<void> {
        await this.kill();
        rmSync(this.#directory, { recursive: true });
    }

    /** Asks the server as an operator does. */
    async call(path: string, body: string, type = "application/json"): Promise<unknown> {
        const headers = { Authorization: `Bearer ${this.apiKey}`, "Content-Type": type };
        const answer = await fetch(this.#url + path, { method: "POST", headers, body });
        const text = await answer.text();
        if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
        return JSON.parse(text);
    }

    /** A connect token of a user. */
    async token(userId: string): Promise<string> {
        const { token } = (await this.call("/v1/token", JSON.stringify({ userId }))) as { token: string };
        return token;
    }

    /** Sends a user notifications with these numbers, all of which have to be accepted. */
    async produce(userId: string, from: number, to: number): Promise<void> {
        const lines = Array.from({ length: to - from }, (_, index) =>
            JSON.stringify({ userId, id: `${userId}-${from + index}`, payload: { n: from + index } }),
        );
        const answer = JSON.stringify(await this.call("/v1/notifications", lines.join("\n"), "application/x-ndjson"));
        if (/"error"|"rejected":[1-9]/.test(answer)) throw new Error(`not accepted: ${answer.slice(0, 500)}`);
    }
}
