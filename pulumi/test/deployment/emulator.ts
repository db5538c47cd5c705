import { spawn } from "node:child_process";
import { createServer, connect, type AddressInfo } from "node:net";
import { join } from "node:path";

import { REPOSITORY } from "../../src/contract.js";

const START_TIMEOUT_MS = 60_000;
const POLL_MS = 50;

/** An AWS endpoint for the tests: the one in AWS_ENDPOINT_URL, or an emulator that ends with this process. */
export interface Emulator {
    readonly url: string;
    readonly stop: () => void;
}

async function freePort(): Promise<number> {
    const server = createServer();
    await new Promise<void>((resolve) => {
        server.listen(0, "127.0.0.1", resolve);
    });
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
}

function accepts(port: number): Promise<boolean> {
    return new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1");
        socket.once("connect", () => {
            socket.destroy();
            resolve(true);
        });
        socket.once("error", () => {
            resolve(false);
        });
    });
}

/** Starts an emulator with environment variables of its own, or uses AWS_ENDPOINT_URL. */
export async function startEmulator(environment: Readonly<Record<string, string>> = {}): Promise<Emulator> {
    const { AWS_ENDPOINT_URL: given = "" } = process.env;
    if (given !== "") {
        return { url: given, stop: () => undefined };
    }
    const port = await freePort();
    // The script stops the emulator when its standard input is closed.
    const child = spawn(join(REPOSITORY, "scripts/local-aws"), ["serve-while", String(port)], {
        env: { ...process.env, ...environment },
        stdio: ["pipe", "ignore", "inherit"],
    });
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await accepts(port))) {
        if (child.exitCode !== null || Date.now() > deadline) {
            throw new Error("the AWS emulator does not start: run scripts/local-aws serve to see why");
        }
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return {
        url: `http://127.0.0.1:${port}`,
        stop: () => {
            child.stdin.end();
        },
    };
}
