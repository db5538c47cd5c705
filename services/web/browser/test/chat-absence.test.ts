import { Proxy } from "@tidings/testing/proxy";
import { Server } from "@tidings/testing/server";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, beforeEach, afterEach, expect, test } from "vitest";
import { type Visitor, launch } from "./browser.ts";
import { choose, connected, enter, hear, logIn, messages, said, texts, write } from "./chat.ts";

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
    [alice, bob] = await Promise.all([logIn(browser, server.url, "alice"), logIn(browser, server.url, "bob")]);
});

afterEach(async () => {
    await Promise.all([alice.leave(), bob.leave()]);
    await server.remove();
});

test("what is sent to who has gone offline is held, and is there in order when they come back", async () => {
    await choose(alice.page, "bob");
    await alice.page.getByRole("button", { name: "Go offline" }).click();
    await alice.page.getByText("What is sent to you alone is now held by the server").waitFor();
    await alice.page.getByText("You are offline. Come back to write.").waitFor();

    await choose(bob.page, "alice");
    await bob.page.getByText("Is away. What you write is held").waitFor();
    await write(bob.page, ...texts("while you were away", 5));
    await bob.page.getByText("Sent. Held until alice is back").waitFor();
    expect(await said(alice.page)).toEqual([]);

    await alice.page.getByRole("button", { name: "Come back" }).click();
    await alice.page.getByText("5 messages were held while you were away").first().waitFor();
    await write(bob.page, "and now you are here");
    await hear(alice.page, "and now you are here");
    expect(await said(alice.page)).toEqual([...texts("while you were away", 5), "and now you are here"]);
    // Set off from what came as it was sent, each with its time.
    const held = messages(alice.page).and(alice.page.locator(".was-held"));
    expect(await held.locator(".text").allTextContents()).toEqual(texts("while you were away", 5));
    expect(await held.getByText(/^sent /).count()).toBe(5);
    await alice.page.getByText("From here on as it happens").waitFor();
    await bob.page.getByText("Is here. Only the two of you see this.").waitFor();
    expect([alice.complaints, bob.complaints]).toEqual([[], []]);
});

test("what was held in another conversation is pointed out", async () => {
    await alice.page.getByRole("button", { name: "Go offline" }).click();
    await choose(bob.page, "alice");
    await write(bob.page, ...texts("look here", 3));
    await alice.page.getByRole("button", { name: "Come back" }).click();
    await alice.page.getByRole("button", { name: "Read 3 from bob" }).click();
    await alice.page.getByText("3 messages were held while you were away").first().waitFor();
    expect(await said(alice.page)).toEqual(texts("look here", 3));
});

test("what is said in the room meanwhile is not held, and the page does not hide that", async () => {
    await write(bob.page, "before");
    await hear(alice.page, "before");
    await alice.page.getByRole("button", { name: "Go offline" }).click();
    await bob.page.getByText("alice has left, and doesn’t hear what is said here").waitFor();
    await write(bob.page, "meanwhile");
    await alice.page.getByRole("button", { name: "Come back" }).click();
    await connected(alice.page);
    await bob.page.getByText("alice is here").last().waitFor();
    await write(bob.page, "after");
    await hear(alice.page, "after");
    expect(await said(alice.page)).toEqual(["before", "after"]);
    await alice.page.getByText(/^You were away for .* What was said here meanwhile is not held$/).waitFor();
});

test("offline lasts over a reload", async () => {
    await alice.page.getByRole("button", { name: "Go offline" }).click();
    await alice.page.getByRole("button", { name: "Come back" }).waitFor();
    await alice.page.reload();
    await alice.page.getByText("You went offline at").waitFor();
    await alice.page.getByRole("button", { name: "Come back" }).click();
    await connected(alice.page);
});

test("what is sent while the page is closed is there when it is opened again", async () => {
    await alice.page.close();
    await choose(bob.page, "alice");
    await bob.page.getByText("Is away. What you write is held").waitFor();
    await write(bob.page, ...texts("for tomorrow", 5));
    const page = await alice.tab(server.url);
    await enter(page, "alice");
    await page.getByRole("button", { name: "Read 5 from bob" }).click();
    await page.getByText("5 messages were held while you were away").first().waitFor();
    expect(await said(page)).toEqual(texts("for tomorrow", 5));
});

test("the page finds its way back to a server that was killed and started again", async () => {
    const proxy = await Proxy.start(server.port);
    const carol = await logIn(browser, `http://127.0.0.1:${proxy.port}`, "carol");
    await choose(bob.page, "carol");
    await write(bob.page, "before");
    await choose(carol.page, "bob");
    await hear(carol.page, "before");
    await server.kill();
    await carol.page.getByText("No connection since").waitFor();
    await server.start();
    // Bob's page knows the address the server had.
    await bob.leave();
    bob = await logIn(browser, server.url, "bob");
    await choose(bob.page, "carol");
    await write(bob.page, ...texts("the server is back", 3));
    proxy.target = server.port;
    await connected(carol.page);
    await hear(carol.page, "the server is back 3");
    await write(carol.page, "so am I");
    await hear(bob.page, "so am I");
    expect(await said(carol.page)).toEqual(["before", ...texts("the server is back", 3), "so am I"]);
    // That nobody was there is all that the browser complains about.
    expect(carol.complaints.filter((complaint) => !/WebSocket|ERR_|Failed to load/.test(complaint))).toEqual([]);
    await carol.leave();
    proxy.close();
});
