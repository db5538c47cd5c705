import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { systemEnvironment } from "../src/environment.ts";
import type { WebSocketConstructor } from "../src/socket.ts";

describe("the environment", () => {
    afterEach(() => {
        vi.unstubAllGlobals();
    });

    it("is online and visible outside a browser", () => {
        const environment = systemEnvironment();
        expect([environment.online(), environment.hidden()]).toEqual([true, false]);
        environment.watch(() => undefined)();
    });

    it("is that of the browser in a page", () => {
        const page = new EventTarget();
        const document = Object.assign(new EventTarget(), { visibilityState: "hidden" });
        vi.stubGlobal("document", document);
        vi.stubGlobal("navigator", { onLine: false });
        vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
        vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
        const environment = systemEnvironment();
        expect([environment.online(), environment.hidden()]).toEqual([false, true]);
        let changes = 0;
        const unwatch = environment.watch(() => (changes += 1));
        for (const name of ["online", "offline", "pageshow"]) page.dispatchEvent(new Event(name));
        document.dispatchEvent(new Event("visibilitychange"));
        expect(changes).toBe(4);
        unwatch();
        page.dispatchEvent(new Event("online"));
        document.dispatchEvent(new Event("visibilitychange"));
        expect(changes).toBe(4);
    });
});

it("WebSockets of browsers and of ws have the right type", () => {
    // The compiler checks the types.
    const countOf = (constructors: WebSocketConstructor[]): number => constructors.length;
    expect(countOf([globalThis.WebSocket, WebSocket])).toBe(2);
});
