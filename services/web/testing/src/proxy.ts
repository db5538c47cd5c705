import { once } from "node:events";
import { type AddressInfo, type Socket, connect as connectTcp, createServer } from "node:net";

/** A TCP proxy between clients and a server that can cut and freeze connections. */
export class Proxy {
    /** Open connections: the client's socket and the server's. */
    readonly #pairs = new Set<[Socket, Socket]>();
    /** Port that clients connect to. */
    port = 0;
    /** Number of connections so far. */
    connections = 0;
    /** Port of the server. */
    target: number;
    readonly #listener = createServer((client) => {
        const server = connectTcp(this.target, "127.0.0.1");
        this.connections += 1;
        const pair: [Socket, Socket] = [client, server];
        this.#pairs.add(pair);
        for (const [from, to] of [pair, [server, client]] as const) {
            from.on("error", () => undefined);
            from.on("data", (bytes) => {
                // Data of a frozen connection is dropped.
                if (this.#pairs.has(pair)) to.write(bytes);
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

    /** Starts a proxy in front of a server on the port `target`. */
    static async start(target: number): Promise<Proxy> {
        const proxy = new Proxy(target);
        proxy.#listener.listen(0, "127.0.0.1");
        await once(proxy.#listener, "listening");
        proxy.port = (proxy.#listener.address() as AddressInfo).port;
        return proxy;
    }

    /** Resets every connection. Data on its way is lost. */
    cut(): void {
        for (const pair of [...this.#pairs]) {
            this.#pairs.delete(pair);
            for (const socket of pair) socket.resetAndDestroy();
        }
    }

    /** Drops all further data of the current connections, and leaves them open. */
    freeze(): void {
        this.#pairs.clear();
    }

    /** Resets every connection and stops listening. */
    close(): void {
        this.cut();
        this.#listener.close();
    }
}
