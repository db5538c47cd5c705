import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Interface, createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Server } from "./server.ts";

/** A Node.js program in a temporary folder that looks like the working directory of a server. */
export class Program {
    readonly #directory = mkdtempSync(join(tmpdir(), "tidings-program-"));
    readonly #process: ChildProcess;
    readonly #lines: Interface;
    readonly #output: AsyncIterator<string, undefined>;

    /** Writes the files and starts `main.mjs`. The program can import the packages of this workspace. */
    constructor(server: Server, files: Readonly<Record<string, string>>) {
        mkdirSync(join(this.#directory, "tidings-data"));
        const all = { ...files, "tidings-data/api-key": server.apiKey };
        for (const [name, text] of Object.entries(all)) writeFileSync(join(this.#directory, name), text);
        const packages = fileURLToPath(new URL("../../../node_modules", import.meta.url));
        symlinkSync(packages, join(this.#directory, "node_modules"));
        const env = { ...process.env, TIDINGS_URL: server.url, PORT: "0" };
        this.#process = spawn(process.execPath, ["main.mjs"], {
            cwd: this.#directory,
            env,
            stdio: ["ignore", "pipe", "inherit"],
        });
        const { stdout } = this.#process;
        if (stdout === null) throw new Error("the program has no output");
        this.#lines = createInterface(stdout);
        this.#output = this.#lines[Symbol.asyncIterator]();
    }

    /** Returns the next line of the program's output. */
    async line(): Promise<string> {
        const { value } = await this.#output.next();
        if (value === undefined) throw new Error("the program has ended");
        return value;
    }

    /** Kills the program and removes its folder. */
    async remove(): Promise<void> {
        if (this.#process.exitCode === null && this.#process.signalCode === null) {
            this.#process.kill("SIGKILL");
            await once(this.#process, "exit");
        }
        this.#lines.close();
        rmSync(this.#directory, { recursive: true });
    }
}
