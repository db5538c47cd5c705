import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, type Socket, connect as connectTcp, createServer } from "node:net";
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
    readonly #directory = mkdtempSync(join(tmpdir(), "tidings-client-"));
    #process: ChildProcess | undefined;
    #url = "";

    /** Starts one; `config` is what differs from the defaults. */
    static async start(config = ""): Promise<Server> {
        const server = new Server();
        writeFileSync(join(server.#directory, "tidings.toml"), config);
        try {
            await server.start();
        } catch (error) {
            await server.remove();
            throw error;
        }
        return server;
    }

    get port(): number {
        return Number(new URL(this.#url).port);
    }

    async start(): Promise<void> {
        const data = join(this.#directory, "data");
        const config = join(this.#directory, "tidings.toml");
        const args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data, "--config", config];
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
        const key = readFileSync(join(this.#directory, "data", "api-key"), "utf8").trim();
        const headers = { Authorization: `Bearer ${key}`, "Content-Type": type };
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

/** A network between a client and a server, with its troubles. */
export class Proxy {
    readonly #pairs = new Set<[Socket, Socket]>();
    /** What came from a server that nobody got, of pairs that are frozen. */
    frozen = 0;
    port = 0;
    connections = 0;
    target: number;
    readonly #listener = createServer((client) => {
        const server = connectTcp(this.target, "127.0.0.1");
        this.connections += 1;
        const pair: [Socket, Socket] = [client, server];
        this.#pairs.add(pair);
        for (const [from, to] of [pair, [server, client]] as const) {
            from.on("error", () => undefined);
            from.on("data", (bytes) => {
                if (this.#pairs.has(pair)) to.write(bytes);
                else this.frozen += bytes.length;
            });
            from.on("close", () => {
                if (!this.#pairs.delete(pair)) return;
                to.destroy();
            });
        }
    });

    private constructor(target: number) {
        this.target = target;
    }

    static async start(target: number): Promise<Proxy> {
        const proxy = new Proxy(target);
        proxy.#listener.listen(0, "127.0.0.1");
        await once(proxy.#listener, "listening");
        proxy.port = (proxy.#listener.address() as AddressInfo).port;
        return proxy;
    }

    get open(): number {
        return this.#pairs.size;
    }

    /** Cuts every connection: no goodbye, and what was on its way is lost. */
    cut(): void {
        for (const pair of [...this.#pairs]) {
            this.#pairs.delete(pair);
            for (const socket of pair) socket.resetAndDestroy();
        }
    }

    /** From now on nothing is passed on over the connections there are, which stay open. */
    freeze(): void {
        this.#pairs.clear();
    }

    close(): void {
        this.cut();
        this.#listener.close();
    }
}
