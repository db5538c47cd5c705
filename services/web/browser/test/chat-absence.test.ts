import { Proxy } from "@tidings/testing/proxy";
import { Server } from "@tidings/testing/server";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Visitor, launch } from "./browser.ts";
import { chooseUser, connected, logIn, logInAliceAndBob, messageTexts, messages, receive, select, send, texts } from "./chat.ts";

let browser: Browser;
let server: Server;
let alice: Visitor;
let bob: Visitor;

beforeAll(async () => {
    browser = await launch();
});

afterAll(async () => {
    await browser.close();
});

beforeEach(async () => {
    server = await Server.start("", "--development");
    [alice, bob] = await logInAliceAndBob(browser, server.url);
});

afterEach(async () => {
    await Promise.all([alice.close(), bob.close()]);
    await server.remove();
});

test("direct messages to an offline user arrive in order", async () => {
    await select(alice.page, "bob");
    await alice.page.getByRole("button", { name: "Go offline" }).click();
    await alice.page.getByText("Direct messages to you are held").waitFor();
    await alice.page.getByText("You are offline. Go online to write.").waitFor();

    await select(bob.page, "alice");
    await bob.page.getByText("Offline. Your messages are held").waitFor();
    await send(bob.page, ...texts("while you were offline", 5));
    await bob.page.getByText("Sent. Held until alice is online").waitFor();
    expect(await messageTexts(alice.page)).toEqual([]);

    await alice.page.getByRole("button", { name: "Go online" }).click();
    await alice.page.getByText("5 messages were held while you were offline").first().waitFor();
    await send(bob.page, "and now you are online");
    await receive(alice.page, "and now you are online");
    expect(await messageTexts(alice.page)).toEqual([...texts("while you were offline", 5), "and now you are online"]);
    // They have their own background, and each shows when it was sent.
    const held = messages(alice.page).and(alice.page.locator(".was-held"));
    expect(await held.locator(".text").allTextContents()).toEqual(texts("while you were offline", 5));
    expect(await held.getByText(/^sent /).count()).toBe(5);
    await alice.page.getByText("Live messages").waitFor();
    await bob.page.getByText("Online. Only the two of you see this.").waitFor();
    expect([alice.errors, bob.errors]).toEqual([[], []]);
});

test("a banner links to held messages elsewhere", async () => {
    await alice.page.getByRole("button", { name: "Go offline" }).click();
    await select(bob.page, "alice");
    await send(bob.page, ...texts("look here", 3));
    await alice.page.getByRole("button", { name: "Go online" }).click();
    await alice.page.getByRole("button", { name: "Read 3 from bob" }).click();
    await alice.page.getByText("3 messages were held while you were offline").first().waitFor();
    expect(await messageTexts(alice.page)).toEqual(texts("look here", 3));
});

test("messages to everyone are not held, and the page says so", async () => {
    await send(bob.page, "before");
    await receive(alice.page, "before");
    await alice.page.getByRole("button", { name: "Go offline" }).click();
    await bob.page.getByText("alice went offline and doesn’t get messages sent here").waitFor();
    await send(bob.page, "meanwhile");
    await alice.page.getByRole("button", { name: "Go online" }).click();
    await connected(alice.page);
    await bob.page.getByText("alice is online").last().waitFor();
    await send(bob.page, "after");
    await receive(alice.page, "after");
    expect(await messageTexts(alice.page)).toEqual(["before", "after"]);
    await alice.page.getByText(/^You were offline for .* Messages sent here meanwhile were not held\.$/).waitFor();
});

test("a reload stays offline", async () => {
    await alice.page.getByRole("button", { name: "Go offline" }).click();
    await alice.page.getByRole("button", { name: "Go online" }).waitFor();
    await alice.page.reload();
    await alice.page.getByText("You went offline at").waitFor();
    await alice.page.getByRole("button", { name: "Go online" }).click();
    await connected(alice.page);
});

test("messages to a closed page arrive when it is opened again", async () => {
    await alice.page.close();
    await select(bob.page, "alice");
    await bob.page.getByText("Offline. Your messages are held").waitFor();
    await send(bob.page, ...texts("for tomorrow", 5));
    const page = await alice.tab(server.url);
    await chooseUser(page, "alice");
    await page.getByRole("button", { name: "Read 5 from bob" }).click();
    await page.getByText("5 messages were held while you were offline").first().waitFor();
    expect(await messageTexts(page)).toEqual(texts("for tomorrow", 5));
});

test("the page reconnects to a restarted server", async () => {
    const proxy = await Proxy.start(server.port);
    const carol = await logIn(browser, `http://127.0.0.1:${proxy.port}`, "carol");
    await select(bob.page, "carol");
    await send(bob.page, "before");
    await select(carol.page, "bob");
    await receive(carol.page, "before");
    await server.kill();
    await carol.page.getByText("No connection since").waitFor();
    await server.start();
    // The server has a new address, which Bob's page does not know.
    await bob.close();
    bob = await logIn(browser, server.url, "bob");
    await select(bob.page, "carol");
    await send(bob.page, ...texts("the server is back", 3));
    proxy.target = server.port;
    await connected(carol.page);
    await receive(carol.page, "the server is back 3");
    await send(carol.page, "so am I");
    await receive(bob.page, "so am I");
    expect(await messageTexts(carol.page)).toEqual(["before", ...texts("the server is back", 3), "so am I"]);
    // The browser reports failed connections as errors, and nothing else.
    expect(carol.errors.filter((error) => !/WebSocket|ERR_|Failed to load/.test(error))).toEqual([]);
    await carol.close();
    proxy.close();
});
