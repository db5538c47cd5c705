import { type Client, connect } from "@tidings/client";
import { Proxy } from "@tidings/testing/proxy";
import { Server } from "@tidings/testing/server";
import type { Page } from "playwright-core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Visitor, accessibilityViolations, screenshot } from "./browser.ts";
import { setUp } from "./setup.ts";

const setup = setUp("[history]\nenabled = true\n");
let visitor: Visitor;
let page: Page;
let clients: Client[] = [];

beforeEach(async () => {
    visitor = await Visitor.open(setup.browser, `${setup.server.url}/console/`);
    page = visitor.page;
});

afterEach(async () => {
    await Promise.all([visitor.close(), ...clients.map((client) => client.close())]);
    clients = [];
    // Violations of the Content-Security-Policy would be errors too.
    expect(visitor.errors).toEqual([]);
});

/** Connects a user that handles notifications. */
async function connectUser(name: string, handle: (payload: unknown) => void = () => undefined): Promise<void> {
    const client = connect({
        url: `${setup.server.url.replace("http", "ws")}/ws`,
        token: () => setup.server.token(name),
        ackDelay: 50,
        WebSocket,
    });
    clients.push(client);
    client.on("notification", ({ payload }) => {
        handle(payload);
    });
    await new Promise<void>((open) => {
        client.on("state", ({ status }) => {
            if (status === "open") open();
        });
    });
}

/** Logs in and waits for live metrics. */
async function logIn(): Promise<void> {
    await page.getByLabel("API key").fill(setup.server.apiKey);
    await page.getByRole("button", { name: "Open console" }).click();
    await page.getByText("Live", { exact: true }).waitFor();
}

/** Returns the number since the server's start that a tile shows. */
async function countSinceStart(label: string): Promise<number> {
    const tile = page.locator(".metrics > div").filter({ has: page.getByText(label, { exact: true }) });
    const [, number] = /([\d,]+) since start/.exec(await tile.innerText()) ?? [];
    return Number(number?.replaceAll(",", ""));
}

/** Opens a view. */
async function open(view: string): Promise<void> {
    await page.getByRole("navigation").getByRole("link", { name: view }).click();
}

test("the tab keeps a valid API key until the logout", async () => {
    await page.getByRole("button", { name: "Open console" }).click();
    await page.getByText("Enter the API key.").waitFor();
    await page.getByLabel("API key").fill("wrong");
    const [answer] = await Promise.all([
        page.waitForResponse(/\/v1\//),
        page.getByRole("button", { name: "Open console" }).click(),
    ]);
    expect(answer.status()).toBe(403);
    await page.getByText("This is not the API key of this server.").waitFor();
    await page.getByText("tidings-data/api-key").waitFor();
    expect(await accessibilityViolations(page)).toEqual([]);
    await screenshot(page, "console-login");
    await logIn();
    await page.reload();
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.reload();
    await page.getByLabel("API key").waitFor();
    // The browser reports the answer to the wrong key as an error.
    expect(visitor.errors.splice(0)).toEqual([expect.stringContaining("403")]);
});

test("tiles count accepted, delivered and held notifications", async () => {
    await logIn();
    await connectUser("al");
    await expect.poll(() => countSinceStart("Accepted")).not.toBeNaN();
    const [accepted, delivered, held] = [await countSinceStart("Accepted"), await countSinceStart("Delivered"), await countSinceStart("Held")];
    await Promise.all([setup.server.produce("al", 0, 40), setup.server.produce("nobody", 0, 7)]);
    await expect.poll(() => countSinceStart("Accepted"), { timeout: 30_000 }).toBe(accepted + 47);
    await expect.poll(() => countSinceStart("Delivered"), { timeout: 30_000 }).toBe(delivered + 40);
    await expect.poll(() => countSinceStart("Held"), { timeout: 30_000 }).toBe(held + 7);
    await page.getByRole("img", { name: /^Notifications per second: Accepted/ }).waitFor();
    await page.getByRole("group").filter({ hasText: "Values: Notifications" }).locator("summary").click();
    await page.getByRole("table").getByRole("columnheader", { name: "Delivered" }).waitFor();
});

test("a user is found, and a connection closed when confirmed", async () => {
    await setup.server.produce("kept", 0, 25);
    await connectUser("kim");
    await logIn();
    await open("Users");
    await page.getByRole("searchbox", { name: "User ID" }).fill("kim");
    await page.getByRole("button", { name: "Find" }).click();
    await page.getByRole("heading", { name: "1 open connection" }).waitFor();
    await page.getByRole("button", { name: /^Close connection/ }).click();
    const dialog = page.getByRole("dialog", { name: "Close this connection?" });
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.getByRole("button", { name: /^Close connection/ }).click();
    await dialog.getByRole("button", { name: "Close connection", exact: true }).click();
    await page.getByText("The connection was closed.").waitFor();
    await page.getByRole("searchbox", { name: "User ID" }).fill("kept");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "25 notifications in the mailbox" }).waitFor();
    await page.getByText("The table shows the first 20.").waitFor();
    await page.getByRole("region", { name: "History" }).getByText("held").first().waitFor();
    expect(await accessibilityViolations(page)).toEqual([]);
    await screenshot(page, "console-user");
    await page.getByRole("region", { name: "Mailbox" }).getByRole("link", { name: "kept-3" }).click();
    await page.getByRole("heading", { name: "Held until the user connects" }).waitFor();
});

test("a test notification is sent and tracked to its end", async () => {
    await logIn();
    await open("Test notification");
    await page.getByLabel("Payload (JSON)").fill('{ "text": ');
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.getByText("Enter a user ID").waitFor();
    await page.getByText("This is not JSON").waitFor();
    await page.getByLabel("User ID").fill("late");
    await page.getByLabel("Payload (JSON)").fill('{ "text": "hello" }');
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.getByRole("heading", { name: "Held until the user connects" }).waitFor();
    await screenshot(page, "console-send-held");
    let received: unknown;
    await connectUser("late", (payload) => {
        received = payload;
    });
    await expect.poll(() => received, { timeout: 30_000 }).toEqual({ text: "hello" });
    await page.getByRole("heading", { name: "Delivered and acknowledged" }).waitFor();
    const steps = await page.locator(".steps li > span:first-child").allInnerTexts();
    expect(steps).toEqual([
        "Accepted by the server",
        "Held in the mailbox",
        "Delivered to a connection",
        "Acknowledged by the client",
    ]);
    expect(await accessibilityViolations(page)).toEqual([]);
    await screenshot(page, "console-send-acknowledged");
    await page.getByLabel("User ID").fill("nobody-at-all");
    await page.getByLabel("Drop it").check();
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.getByRole("heading", { name: "Dropped: the user was offline" }).waitFor();
});

test("without a server the metrics are marked as stale", async () => {
    const other = await Server.start();
    const network = await Proxy.start(other.port);
    const visited = await Visitor.open(setup.browser, `http://127.0.0.1:${network.port}/console/`);
    try {
        await visited.page.getByLabel("API key").fill(other.apiKey);
        await visited.page.getByRole("button", { name: "Open console" }).click();
        await visited.page.getByText("Live", { exact: true }).waitFor();
        await visited.page.locator(".metrics").waitFor();
        await other.kill();
        await visited.page.getByText(/^(Connection lost|No updates), last update/).waitFor();
        await visited.page.locator(".stale .metrics").waitFor();
        expect(await accessibilityViolations(visited.page)).toEqual([]);
        await screenshot(visited.page, "console-lost");
        await other.start();
        network.target = other.port;
        await visited.page.getByText("Live", { exact: true }).waitFor();
        await visited.page.locator(".stale .metrics").waitFor({ state: "detached" });
    } finally {
        await visited.close();
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
    test(`every view is accessible and fits: ${name}`, async () => {
        const visited = await Visitor.open(setup.browser, `${setup.server.url}/console/`, options);
        [visitor, page] = [visited, (await visitor.close(), visited.page)];
        await logIn();
        const many = Array.from({ length: 8 }, (_, n) => connectUser(`${name}-${n}`));
        await Promise.all(many);
        await expect.poll(() => countSinceStart("Accepted")).not.toBeNaN();
        for (let round = 0; round < 4; round += 1) {
            const before = await countSinceStart("Accepted");
            for (let n = 0; n < 12; n += 1) await setup.server.produce(`${name}-${n}`, round * 50, round * 50 + 20 + 2 * n);
            await expect.poll(() => countSinceStart("Accepted"), { timeout: 30_000 }).toBeGreaterThan(before);
        }
        expect(await accessibilityViolations(page)).toEqual([]);
        await screenshot(page, `console-overview-${name}`);
        const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(width).toBeLessThanOrEqual(0);
        for (const view of ["Users", "Test notification", "Dead letters"]) {
            await open(view);
            expect(await accessibilityViolations(page)).toEqual([]);
            expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
        }
    });
}
