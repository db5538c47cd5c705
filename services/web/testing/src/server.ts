import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Returns the path of the server under test: that in TIDINGS_BINARY, or the one in cargo's target folder. */
function binary(): string {
    const named = process.env["TIDINGS_BINARY"];
    const built = ["debug", "release"].map((profile) =>
        fileURLToPath(new URL(`../../../../target/${profile}/tidings`, import.meta.url)),
    );
    const found = (named === undefined ? built : [named]).find((path) => existsSync(path));
    if (found === undefined) {
        const where = named ?? built.join(" and ");
        throw new Error(`no server at ${where}: run \`cargo build --package tidings\`, or set TIDINGS_BINARY`);
    }
    return found;
}

/** A server process with a temporary data directory, which survives restarts. */
export class Server {
    readonly #directory = mkdtempSync(join(tmpdir(), "tidings-web-"));
    #process: ChildProcess | undefined;
    #url = "";

    readonly #flags: readonly string[];

    private constructor(flags: readonly string[]) {
        this.#flags = flags;
    }

    /** Starts a server with the configuration file `config` (TOML) and more flags of `tidings serve`. */
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

    /** URL of the server. The port changes with a restart. */
    get url(): string {
        return this.#url;
    }

    /** Port of the server. It changes with a restart. */
    get port(): number {
        return Number(new URL(this.#url).port);
    }

    /** API key of operators and producers. */
    get apiKey(): string {
        return readFileSync(join(this.#directory, "data", "api-key"), "utf8").trim();
    }

    /** Starts the process again, on another port, after {@link Server.kill}. */
    async start(): Promise<void> {
        const data = join(this.#directory, "data");
        const config = join(this.#directory, "tidings.toml");
        const args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data, "--config", config, ...this.#flags];
        const child = spawn(binary(), args, { stdio: ["ignore", "pipe", "pipe"] });
        this.#process = child;
        const output: string[] = [];
        child.stderr.on("data", (chunk: Buffer) => output.push(chunk.toString()));
        for await (const line of createInterface(child.stdout)) {
            const [, url] = /ready at (http:\S+)/.exec(line) ?? [];
            if (url !== undefined) {
                this.#url = url;
                child.stdout.resume();
                return;
            }
        }
        throw new Error(`the server did not start: ${output.join("")}`);
    }

    /** Kills the process with SIGKILL. */
    async kill(): Promise<void> {
        const child = this.#process;
        if (child?.exitCode !== null || child.signalCode !== null) return;
        child.kill("SIGKILL");
        await once(child, "exit");
    }

    /** Kills the process and removes its data directory. */
    async remove(): Promise<void> {
        await this.kill();
        rmSync(this.#directory, { recursive: true });
    }

    /** Sends a POST request with the API key. @returns the parsed answer @throws Error for an error status */
    async call(path: string, body: string, type = "application/json"): Promise<unknown> {
        const headers = { Authorization: `Bearer ${this.apiKey}`, "Content-Type": type };
        const answer = await fetch(this.#url + path, { method: "POST", headers, body });
        const text = await answer.text();
        if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
        return JSON.parse(text);
    }

    /** Returns a connect token for a user. */
    async token(userId: string): Promise<string> {
        const { token } = (await this.call("/v1/token", JSON.stringify({ userId }))) as { token: string };
        return token;
    }

    /** Sends a user notifications numbered `from` to `to - 1`. @throws Error if one is rejected */
    async produce(userId: string, from: number, to: number): Promise<void> {
        const lines = Array.from({ length: to - from }, (_, index) =>
            JSON.stringify({ userId, id: `${userId}-${from + index}`, payload: { n: from + index } }),
        );
        const answer = JSON.stringify(await this.call("/v1/notifications", lines.join("\n"), "application/x-ndjson"));
        if (/"error"|"rejected":[1-9]/.test(answer)) throw new Error(`rejected: ${answer.slice(0, 500)}`);
    }
}
