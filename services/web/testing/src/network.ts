import { once } from "node:events";
import { type AddressInfo, type Socket, connect as connectTcp, createServer } from "node:net";

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
