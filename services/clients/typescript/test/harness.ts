// Starts server processes and clients, and removes them after each test.
import { Proxy } from "@tidings/testing/proxy";
import { Server } from "@tidings/testing/server";
import { afterEach, expect } from "vitest";
import { WebSocket } from "ws";
import { type Client, connect } from "../src/client.ts";
import type { Options } from "../src/options.ts";
import type { State } from "../src/state.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
});

/** Starts a server. */
export async function serve(config = ""): Promise<Server> {
    const server = await Server.start(config);
    cleanUp.push(() => server.remove());
    return server;
}

/** Puts a proxy between clients and a server. */
export async function network(server: Server): Promise<Proxy> {
    const proxy = await Proxy.start(server.port);
    cleanUp.push(() => {
        proxy.close();
    });
    return proxy;
}

/** Connects a client as `user`. */
export function listen(server: Server, user: string, options: Partial<Options> & { port?: number } = {}): Client {
    const { port = server.port, ...rest } = options;
    const client = connect({
        url: `ws://127.0.0.1:${port}/ws`,
        token: () => server.token(user),
        WebSocket,
        backoff: { initial: 20, max: 200 },
        ...rest,
    });
    cleanUp.push(() => client.close());
    return client;
}

/** Records the numbers in the payloads that a client receives. `until` waits for the given count. */
export function received(client: Client): { numbers: number[]; until: (count: number) => Promise<void> } {
    const numbers: number[] = [];
    let wake = (): void => undefined;
    client.on("notification", ({ payload, outOfOrder }) => {
        expect(outOfOrder).toBe(false);
        numbers.push((payload as { n: number }).n);
        wake();
    });
    return {
        numbers,
        until: async (count) => {
            while (numbers.length < count) await new Promise<void>((resolve) => (wake = resolve));
        },
    };
}

/** Waits until the client is in the wanted state. */
export async function stateOf(client: Client, wanted: (state: State) => boolean): Promise<void> {
    while (!wanted(client.state)) {
        await new Promise<void>((resolve) => {
            const off = client.on("state", () => {
                off();
                resolve();
            });
        });
    }
}

export const isOpen = ({ status }: State): boolean => status === "open";
/** Returns the numbers from 0 to `count - 1`. */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
