import { Server } from "@tidings/testing/server";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Visitor, barriers, launch, screenshot } from "./browser.ts";

let browser: Browser;
let server: Server;

beforeAll(async () => {
    [browser, server] = await Promise.all([launch(), Server.start("", "--development")]);
});

afterAll(async () => {
    await Promise.all([browser.close(), server.remove()]);
});

test("the page is there, and everybody can use it", async () => {
    const visitor = await Visitor.arrive(browser, server.url);
    await visitor.page.getByRole("heading", { name: "Tidings" }).waitFor();
    expect(await barriers(visitor.page)).toEqual([]);
    expect(visitor.complaints).toEqual([]);
    await screenshot(visitor.page, "chat");
    await visitor.leave();
});
