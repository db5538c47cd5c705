import { Server } from "@tidings/testing/server";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { launch } from "./browser.ts";

/** A browser and a server, for all tests of a file. */
export interface Setup {
    readonly browser: Browser;
    readonly server: Server;
}

/**
 * Starts a browser and a server before the tests of a file, and stops them afterwards. The properties of the result may
 * be read in tests only.
 */
export function setUp(config = "", ...flags: string[]): Setup {
    let browser: Browser;
    let server: Server;
    beforeAll(async () => {
        [browser, server] = await Promise.all([launch(), Server.start(config, ...flags)]);
    });
    afterAll(async () => {
        await Promise.all([browser.close(), server.remove()]);
    });
    return {
        get browser() {
            return browser;
        },
        get server() {
            return server;
        },
    };
}
