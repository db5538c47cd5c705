import { Server } from "@tidings/testing/server";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Visitor, launch } from "./browser.ts";
import { choose, connected, enter, hear, logIn, messages, said, show, write } from "./chat.ts";

let browser: Browser;
let server: Server;

beforeAll(async () => {
    [browser, server] = await Promise.all([launch(), Server.start("", "--development")]);
});

afterAll(async () => {
    await Promise.all([browser.close(), server.remove()]);
});

test("two tabs are two people, who hear each other in the room and alone", async () => {
    const alice = await logIn(browser, server.url, "alice");
    const page = await alice.tab(server.url);
    await enter(page, "bob");
    await write(alice.page, "hello, everybody");
    await hear(page, "hello, everybody");
    await write(page, "hello, alice");
    await hear(alice.page, "hello, alice");
    expect(await said(alice.page)).toEqual(["hello, everybody", "hello, alice"]);
    expect(await messages(page).locator(".by strong").allTextContents()).toEqual(["alice", "You"]);

    await choose(page, "alice");
    await write(page, "just for you");
    await alice.page.getByRole("button", { name: "bob 1 unread" }).click();
    await hear(alice.page, "just for you");
    await write(alice.page, "thank you");
    await hear(page, "thank you");
    expect(await said(page)).toEqual(["just for you", "thank you"]);
    await choose(page, "Everyone");
    expect(await said(page)).toEqual(["hello, everybody", "hello, alice"]);
    expect(alice.complaints).toEqual([]);
    await alice.leave();
});

test("who is here is shown, and changes as they come and go", async () => {
    const alice = await logIn(browser, server.url, "alice");
    const people = alice.page.getByRole("navigation", { name: "Conversations" });
    await people.getByText("Nobody else").waitFor();
    const carol = await logIn(browser, server.url, "carol");
    await people.getByRole("heading", { name: "Here now 1" }).waitFor();
    await carol.page.getByRole("heading", { name: "Here now 1" }).waitFor();
    await carol.page.getByRole("button", { name: "alice" }).waitFor();
    await carol.leave();
    await people.getByText("Nobody else").waitFor();
    await alice.page.getByText("carol has left").waitFor();
    // What is said to who has left does not reach them, so there is a way to what does.
    await alice.page.getByRole("button", { name: "Write to carol" }).click();
    await alice.page.getByText("Is away. What you write is held").waitFor();
    await alice.leave();
});

test("a reload keeps one logged in, and what was said, each message once", async () => {
    const [alice, bob] = await Promise.all([logIn(browser, server.url, "alice"), logIn(browser, server.url, "bob")]);
    const texts = ["before the reload", "and this, too"];
    await write(bob.page, ...texts);
    await hear(alice.page, "and this, too");
    await alice.page.reload();
    await connected(alice.page);
    await hear(alice.page, "and this, too");
    expect((await said(alice.page)).filter((text) => texts.includes(text))).toEqual(texts);
    expect(alice.complaints).toEqual([]);
    await Promise.all([alice.leave(), bob.leave()]);
});

test("messages have several lines, and those of others can't be markup", async () => {
    const [alice, bob] = await Promise.all([logIn(browser, server.url, "alice"), logIn(browser, server.url, "bob")]);
    const field = bob.page.getByRole("textbox", { name: "Message to Everyone" });
    await field.fill("<img src=x onerror=alert(1)>");
    await field.press("Shift+Enter");
    await field.pressSequentially("second line");
    await field.press("Enter");
    const text = "<img src=x onerror=alert(1)>\nsecond line";
    await hear(alice.page, text);
    expect(await alice.page.getByRole("log").locator("img").count()).toBe(0);
    // A gateway's heartbeat, but not for people.
    await write(bob.page, "ping");
    await hear(alice.page, "ping");
    await field.fill("a".repeat(70_000));
    await field.press("Enter");
    await bob.page.getByRole("alert").getByText("This is too long to send").waitFor();
    await write(bob.page, "a".repeat(60_000));
    expect(alice.complaints).toEqual([]);
    await Promise.all([alice.leave(), bob.leave()]);
});

test("a hidden tab counts what comes in its title, and shows where it began", async () => {
    const [alice, bob] = await Promise.all([logIn(browser, server.url, "alice"), logIn(browser, server.url, "bob")]);
    await alice.page.getByRole("heading", { name: "Here now 1" }).waitFor();
    await show(alice.page, "hidden");
    await write(bob.page, "are you there?", "hello?");
    await alice.page.waitForFunction(() => document.title === "(2) Tidings: alice");
    await show(alice.page, "visible");
    await alice.page.waitForFunction(() => document.title === "Tidings: alice");
    await alice.page.getByText("New since you looked").waitFor();
    await Promise.all([alice.leave(), bob.leave()]);
});

test("who can't be reached or is not there can be written to by name", async () => {
    const alice = await logIn(browser, server.url, "alice");
    await alice.page.getByRole("button", { name: "Write to someone else" }).click();
    const dialog = alice.page.getByRole("dialog", { name: "Write to someone" });
    await dialog.getByRole("textbox", { name: "User name" }).or(dialog.getByRole("combobox")).fill("dave");
    await dialog.getByRole("button", { name: "Write", exact: true }).click();
    await alice.page.getByRole("heading", { level: 1, name: "dave" }).waitFor();
    await write(alice.page, "for later");
    await alice.page.getByText("Sent. Held until dave is back").waitFor();
    await alice.leave();
});

test("a server says so when it is asked too much, and everything is sent in order all the same", async () => {
    // So few that a machine with little time for the browser asks too much, too.
    const slow = await Server.start('[sending]\nrate_per_connection = "4/4s"', "--development");
    const [alice, bob] = await Promise.all([logIn(browser, slow.url, "alice"), logIn(browser, slow.url, "bob")]);
    const texts = Array.from({ length: 12 }, (_, index) => `number ${index + 1}`);
    const field = bob.page.getByRole("textbox", { name: "Message to Everyone" });
    for (const text of texts) {
        await field.fill(text);
        await field.press("Enter");
    }
    await bob.page.getByText("The server asks to slow down").first().waitFor();
    await hear(alice.page, "number 12");
    expect(await said(alice.page)).toEqual(texts);
    expect(await said(bob.page)).toEqual(texts);
    await Promise.all([alice.leave(), bob.leave(), slow.remove()]);
});

test("where clients don't send and nothing is kept, the page says so, and shows what programs send", async () => {
    const strict = await Server.start();
    await strict.call("/v1/users", JSON.stringify({ username: "erin", password: "correct horse" }));
    const erin = await Visitor.arrive(browser, strict.url);
    await erin.page.getByRole("textbox", { name: "User name" }).fill("erin");
    await erin.page.getByRole("textbox", { name: "Password" }).fill("correct horse");
    await erin.page.getByRole("button", { name: "Log in", exact: true }).click();
    await connected(erin.page);
    await erin.page.getByText("This server lets nobody write from here.").waitFor();
    await erin.page.getByText("This server keeps no messages that were read").waitFor();
    const body = { userId: "erin", payload: { text: "build 7 passed" }, source: "builds" };
    await strict.call("/v1/notifications", JSON.stringify(body));
    await hear(erin.page, "build 7 passed");
    expect(await messages(erin.page).locator(".by strong").allTextContents()).toEqual(["builds"]);
    expect(erin.complaints).toEqual([]);
    await Promise.all([erin.leave(), strict.remove()]);
});
