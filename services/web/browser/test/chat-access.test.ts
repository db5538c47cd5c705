import { Server } from "@tidings/testing/server";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Visitor, barriers, launch, screenshot } from "./browser.ts";
import { choose, connected, enter, hear, logIn, write } from "./chat.ts";

let browser: Browser;
let server: Server;

beforeAll(async () => {
    [browser, server] = await Promise.all([launch(), Server.start("", "--development")]);
});

afterAll(async () => {
    await Promise.all([browser.close(), server.remove()]);
});

/** Presses Tab until what has this name has the focus. */
async function tabTo(page: Page, name: RegExp, key = "Tab"): Promise<void> {
    for (let presses = 0; presses < 60; presses += 1) {
        await page.keyboard.press(key);
        const focused = await page.evaluate(() => {
            const element = document.activeElement;
            return element?.getAttribute("aria-label") ?? (element?.id === "text" ? "message field" : element?.textContent);
        });
        if (name.test(focused ?? "")) return;
    }
    throw new Error(`${name.source} can't be reached with ${key}`);
}

/** Waits until the field for messages has the focus. */
async function canWrite(page: Page): Promise<void> {
    await page.waitForFunction(() => document.activeElement?.id === "text");
}

/** How far the page can be scrolled sideways. */
function overhang(page: Page): Promise<number> {
    return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

test("everything can be done with the keyboard alone", async () => {
    const alice = await Visitor.arrive(browser, server.url);
    const { page } = alice;
    await page.getByRole("button", { name: "Log in as alice" }).waitFor();
    await tabTo(page, /Log in as alice/);
    await page.keyboard.press("Enter");
    await connected(page);
    // One can write at once.
    await canWrite(page);
    await page.keyboard.type("first line");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("second line");
    await page.keyboard.press("Enter");
    await hear(page, "first line\nsecond line");
    await canWrite(page);
    await tabTo(page, /^bob/, "Shift+Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "bob" }).waitFor();
    await page.getByRole("textbox", { name: "Message to bob" }).waitFor();
    await canWrite(page);
    await tabTo(page, /^Write to someone else/, "Shift+Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await tabTo(page, /^Go offline$/);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Come back" }).waitFor();
    await tabTo(page, /^Come back$/);
    await page.keyboard.press("Enter");
    await connected(page);
    await tabTo(page, /^Log out$/, "Shift+Tab");
    await page.keyboard.press("Enter");
    await page.getByText("You are logged out").waitFor();
    expect(alice.complaints).toEqual([]);
    await alice.leave();
});

test("what happens is told to who doesn't see it", async () => {
    const [alice, bob] = await Promise.all([logIn(browser, server.url, "alice"), logIn(browser, server.url, "bob")]);
    const spoken = alice.page.locator("main > [role=status]");
    await spoken.getByText("Connected.").waitFor({ state: "attached" });
    await alice.page.getByRole("button", { name: "Go offline" }).click();
    await spoken.getByText("You are offline.").waitFor({ state: "attached" });
    await choose(bob.page, "alice");
    await write(bob.page, "one", "two");
    await alice.page.getByRole("button", { name: "Come back" }).click();
    await spoken.getByText("Connected. 2 messages were held while you were away.").waitFor({ state: "attached" });
    expect(await alice.page.getByRole("log").getAttribute("aria-label")).toBe("Messages: Everyone");
    await Promise.all([alice.leave(), bob.leave()]);
});

const LOOKS = [
    ["light", { colorScheme: "light", viewport: { width: 1200, height: 780 } }],
    ["dark", { colorScheme: "dark", viewport: { width: 1200, height: 780 } }],
    ["phone", { colorScheme: "light", viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }],
    ["phone-dark", { colorScheme: "dark", viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }],
] as const;

describe.each(LOOKS)("in %s", (name, options) => {
    /** Whether everybody can use the page as it is now, and it fits; and keeps a picture of it. */
    async function check(page: Page, what: string): Promise<void> {
        await screenshot(page, `chat-${what}-${name}`);
        expect(await barriers(page)).toEqual([]);
        expect(await overhang(page)).toBe(0);
    }

    test("nothing is in anybody's way", { timeout: 180_000 }, async () => {
        // Its history is empty.
        const server = await Server.start("", "--development");
        const alice = await Visitor.arrive(browser, server.url, options);
        const { page } = alice;
        const phone = name.startsWith("phone");
        const side = async (): Promise<void> => {
            if (phone) await page.getByRole("button", { name: /^People/ }).click();
        };
        await page.getByText("Other ways to log in and connect").click();
        await check(page, "login-open");
        await page.getByText("Other ways to log in and connect").click();
        await check(page, "login");
        await enter(page, "alice");
        await check(page, "guide");

        const bob = await logIn(browser, server.url, "bob");
        await write(page, "Morning! Is the release note ready?");
        await hear(bob.page, "Morning! Is the release note ready?");
        await write(
            bob.page,
            "Nearly. I want one more look at the chapter on delivery: it promises a lot, and I would like every sentence " +
                "of it to be checked before it is out.",
            "Ten minutes.",
        );
        await hear(page, "Ten minutes.");
        await write(page, "Take twenty. https://example.com/" + "a-very-long-address-without-a-space/".repeat(4));
        await check(page, "room");

        await page.getByRole("button", { name: "Go offline" }).click();
        await page.getByRole("button", { name: "Come back" }).waitFor();
        await check(page, "offline");
        await choose(bob.page, "alice");
        await write(bob.page, "It is done.", "Figures are from this morning’s run.", "Your name is on the page.");
        await page.getByRole("button", { name: "Come back" }).click();
        await page.getByRole("button", { name: "Read 3 from bob" }).waitFor();
        await check(page, "back");
        await page.getByRole("button", { name: "Read 3 from bob" }).click();
        await page.getByRole("heading", { level: 1, name: "bob" }).waitFor();
        await write(page, "Reading it now.");
        await check(page, "held");

        await side();
        await check(page, "side");
        await page.getByRole("button", { name: "Write to someone else" }).click();
        await check(page, "dialog");
        await page.keyboard.press("Escape");
        await page.getByRole("button", { name: "Log out" }).click();
        await page.getByText("You are logged out").waitFor();
        await check(page, "logged-out");
        expect(alice.complaints).toEqual([]);
        await Promise.all([alice.leave(), bob.leave()]);
        await server.remove();
    });
});
