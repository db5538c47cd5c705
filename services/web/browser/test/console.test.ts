import { type Client, connect } from "@tidings/client";
import { Proxy } from "@tidings/testing/proxy";
import { Server } from "@tidings/testing/server";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Visitor, barriers, launch, screenshot } from "./browser.ts";

let browser: Browser;
let server: Server;
let visitor: Visitor;
let page: Page;
let clients: Client[] = [];

beforeAll(async () => {
    [browser, server] = await Promise.all([launch(), Server.start("[history]\nenabled = true\n")]);
});

afterAll(async () => {
    await Promise.all([browser.close(), server.remove()]);
});

beforeEach(async () => {
    visitor = await Visitor.arrive(browser, `${server.url}/console/`);
    page = visitor.page;
});

afterEach(async () => {
    await Promise.all([visitor.leave(), ...clients.map((client) => client.close())]);
    clients = [];
    // Also what the Content-Security-Policy would have refused.
    expect(visitor.complaints).toEqual([]);
});

/** Somebody who is there, and takes what comes. */
async function user(name: string, take: (payload: unknown) => void = () => undefined): Promise<void> {
    const client = connect({
        url: `${server.url.replace("http", "ws")}/ws`,
        token: () => server.token(name),
        ackDelay: 50,
        WebSocket,
    });
    clients.push(client);
    client.on("notification", ({ payload }) => {
        take(payload);
    });
    await new Promise<void>((open) => {
        client.on("state", ({ status }) => {
            if (status === "open") open();
        });
    });
}

async function logIn(): Promise<void> {
    await page.getByLabel("API key").fill(server.apiKey);
    await page.getByRole("button", { name: "Open the console" }).click();
    await page.getByText("Live", { exact: true }).waitFor();
}

/** How many there were since the server's start, by the page. */
async function shown(label: string): Promise<number> {
    const figure = page.locator(".figures > div").filter({ has: page.getByText(label, { exact: true }) });
    const [, number] = /([\d,]+) since the start/.exec(await figure.innerText()) ?? [];
    return Number(number?.replaceAll(",", ""));
}

async function open(view: string): Promise<void> {
    await page.getByRole("navigation").getByRole("link", { name: view }).click();
}

test("a wrong key is refused in words, the right one is remembered by the tab until one logs out", async () => {
    await page.getByRole("button", { name: "Open the console" }).click();
    await page.getByText("Paste the API key first.").waitFor();
    await page.getByLabel("API key").fill("wrong");
    const [answer] = await Promise.all([
        page.waitForResponse(/figures/),
        page.getByRole("button", { name: "Open the console" }).click(),
    ]);
    expect(answer.status()).toBe(403);
    await page.getByText("This is not the API key of this server.").waitFor();
    await page.getByText("tidings-data/api-key").waitFor();
    expect(await barriers(page)).toEqual([]);
    await screenshot(page, "console-login");
    await logIn();
    await page.reload();
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.reload();
    await page.getByLabel("API key").waitFor();
    // What the browser itself says of the answer to the wrong key.
    expect(visitor.complaints.splice(0)).toEqual([expect.stringContaining("403")]);
});

test("numbers move as notifications are sent, delivered and held", async () => {
    await logIn();
    await user("al");
    await expect.poll(() => shown("Accepted")).not.toBeNaN();
    const [accepted, delivered, held] = [await shown("Accepted"), await shown("Delivered"), await shown("Held")];
    await Promise.all([server.produce("al", 0, 40), server.produce("nobody", 0, 7)]);
    await expect.poll(() => shown("Accepted"), { timeout: 30_000 }).toBe(accepted + 47);
    await expect.poll(() => shown("Delivered"), { timeout: 30_000 }).toBe(delivered + 40);
    await expect.poll(() => shown("Held"), { timeout: 30_000 }).toBe(held + 7);
    await page.getByRole("img", { name: /^Notifications a second: Accepted/ }).waitFor();
    await page.getByRole("group").filter({ hasText: "In numbers: Notifications" }).locator("summary").click();
    await page.getByRole("table").getByRole("columnheader", { name: "Delivered" }).waitFor();
});

test("a user is looked up, and a connection closed once that is confirmed", async () => {
    await server.produce("kept", 0, 25);
    await user("kim");
    await logIn();
    await open("Users");
    await page.getByRole("searchbox", { name: "User" }).fill("kim");
    await page.getByRole("button", { name: "Look up" }).click();
    await page.getByRole("heading", { name: "1 open connection" }).waitFor();
    await page.getByRole("button", { name: /^Close connection/ }).click();
    const dialog = page.getByRole("dialog", { name: "Close this connection?" });
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.getByRole("button", { name: /^Close connection/ }).click();
    await dialog.getByRole("button", { name: "Close the connection" }).click();
    await page.getByText("The connection was closed.").waitFor();
    await page.getByRole("searchbox", { name: "User" }).fill("kept");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "25 notifications in the mailbox" }).waitFor();
    await page.getByText("These are the first 20.").waitFor();
    await page.getByRole("region", { name: "History" }).getByText("held").first().waitFor();
    expect(await barriers(page)).toEqual([]);
    await screenshot(page, "console-user");
    await page.getByRole("region", { name: "Mailbox" }).getByRole("link", { name: "kept-3" }).click();
    await page.getByRole("heading", { name: "Held in the mailbox until the user comes" }).waitFor();
});

test("a test notification is checked, sent, and followed until it is acknowledged", async () => {
    await logIn();
    await open("Send a test");
    await page.getByLabel("Payload, as JSON").fill('{ "text": ');
    await page.getByRole("button", { name: "Send it" }).click();
    await page.getByText("Give a user").waitFor();
    await page.getByText("This is not JSON").waitFor();
    await page.getByLabel("To the user").fill("late");
    await page.getByLabel("Payload, as JSON").fill('{ "text": "hello" }');
    await page.getByRole("button", { name: "Send it" }).click();
    await page.getByRole("heading", { name: "Held in the mailbox until the user comes" }).waitFor();
    await screenshot(page, "console-send-held");
    let taken: unknown;
    await user("late", (payload) => {
        taken = payload;
    });
    await expect.poll(() => taken, { timeout: 30_000 }).toEqual({ text: "hello" });
    await page.getByRole("heading", { name: "Delivered and acknowledged" }).waitFor();
    const steps = await page.locator(".steps li > span:first-child").allInnerTexts();
    expect(steps).toEqual([
        "Accepted by the server",
        "Held in the mailbox",
        "Delivered to a connection",
        "Acknowledged by the client",
    ]);
    expect(await barriers(page)).toEqual([]);
    await screenshot(page, "console-send-acknowledged");
    await page.getByLabel("To the user").fill("nobody-at-all");
    await page.getByLabel("drop it").check();
    await page.getByRole("button", { name: "Send it" }).click();
    await page.getByRole("heading", { name: "Dropped: nobody was there" }).waitFor();
});

test("without the server the figures are marked as old, and live again when it is back", async () => {
    const other = await Server.start();
    const network = await Proxy.start(other.port);
    const visited = await Visitor.arrive(browser, `http://127.0.0.1:${network.port}/console/`);
    try {
        await visited.page.getByLabel("API key").fill(other.apiKey);
        await visited.page.getByRole("button", { name: "Open the console" }).click();
        await visited.page.getByText("Live", { exact: true }).waitFor();
        await visited.page.locator(".figures").waitFor();
        await other.kill();
        await visited.page.getByText(/^(Connection lost|No news), figures of/).waitFor();
        await visited.page.locator(".stale .figures").waitFor();
        expect(await barriers(visited.page)).toEqual([]);
        await screenshot(visited.page, "console-lost");
        await other.start();
        network.target = other.port;
        await visited.page.getByText("Live", { exact: true }).waitFor();
        await visited.page.locator(".stale .figures").waitFor({ state: "detached" });
    } finally {
        await visited.leave();
        network.close();
        await other.remove();
    }
});

for (const [name, options] of [
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["phone", { colorScheme: "light", viewport: { width: 360, height: 740 } }],
    ["phone-dark", { colorScheme: "dark", viewport: { width: 360, height: 740 } }],
] as const) {
    test(`everybody can use it: ${name}`, async () => {
        const visited = await Visitor.arrive(browser, `${server.url}/console/`, options);
        [visitor, page] = [visited, (await visitor.leave(), visited.page)];
        await logIn();
        const many = Array.from({ length: 8 }, (_, n) => user(`${name}-${n}`));
        await Promise.all(many);
        await expect.poll(() => shown("Accepted")).not.toBeNaN();
        for (let round = 0; round < 4; round += 1) {
            const before = await shown("Accepted");
            for (let n = 0; n < 12; n += 1) await server.produce(`${name}-${n}`, round * 50, round * 50 + 20 + 2 * n);
            await expect.poll(() => shown("Accepted"), { timeout: 30_000 }).toBeGreaterThan(before);
        }
        expect(await barriers(page)).toEqual([]);
        await screenshot(page, `console-overview-${name}`);
        const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(width).toBeLessThanOrEqual(0);
        for (const view of ["Users", "Send a test", "Dead letters"]) {
            await open(view);
            expect(await barriers(page)).toEqual([]);
            expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
        }
    });
}
