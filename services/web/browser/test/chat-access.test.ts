import { Server } from "@tidings/testing/server";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { Visitor, accessibilityViolations, screenshot } from "./browser.ts";
import { chooseUser, connected, logIn, logInAliceAndBob, receive, select, send } from "./chat.ts";
import { setUp } from "./setup.ts";

const setup = setUp("", "--development");

/** Presses Tab until the element with this name has the focus. */
async function tabTo(page: Page, name: RegExp, key = "Tab"): Promise<void> {
    for (let presses = 0; presses < 60; presses += 1) {
        await page.keyboard.press(key);
        const focused = await page.evaluate(() => {
            const element = document.activeElement;
            return element?.getAttribute("aria-label") ?? (element?.id === "text" ? "message field" : element?.textContent);
        });
        if (name.test(focused ?? "")) return;
    }
    throw new Error(`${name.source} can't be focused with ${key}`);
}

/** Waits until the message field has the focus. */
async function fieldFocused(page: Page): Promise<void> {
    await page.waitForFunction(() => document.activeElement?.id === "text");
}

/** Returns the width in pixels by which the page overflows horizontally. */
function overflow(page: Page): Promise<number> {
    return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

test("the keyboard alone is enough", async () => {
    const alice = await Visitor.open(setup.browser, setup.server.url);
    const { page } = alice;
    await page.getByRole("button", { name: "Log in as alice" }).waitFor();
    await tabTo(page, /Log in as alice/);
    await page.keyboard.press("Enter");
    await connected(page);
    await fieldFocused(page);
    await page.keyboard.type("first line");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("second line");
    await page.keyboard.press("Enter");
    await receive(page, "first line\nsecond line");
    await fieldFocused(page);
    await tabTo(page, /^bob/, "Shift+Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "bob" }).waitFor();
    await page.getByRole("textbox", { name: "Message to bob" }).waitFor();
    await fieldFocused(page);
    await tabTo(page, /^Write to someone else/, "Shift+Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await tabTo(page, /^Go offline$/);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Go online" }).waitFor();
    await tabTo(page, /^Go online$/);
    await page.keyboard.press("Enter");
    await connected(page);
    await tabTo(page, /^Log out$/, "Shift+Tab");
    await page.keyboard.press("Enter");
    await page.getByText("You are logged out").waitFor();
    expect(alice.errors).toEqual([]);
    await alice.close();
});

test("screen readers get the state of the connection", async () => {
    const [alice, bob] = await logInAliceAndBob(setup.browser, setup.server.url);
    const spoken = alice.page.locator("main > [role=status]");
    await spoken.getByText("Connected.").waitFor({ state: "attached" });
    await alice.page.getByRole("button", { name: "Go offline" }).click();
    await spoken.getByText("You are offline.").waitFor({ state: "attached" });
    await select(bob.page, "alice");
    await send(bob.page, "one", "two");
    await alice.page.getByRole("button", { name: "Go online" }).click();
    await spoken.getByText("Connected. 2 messages were held while you were offline.").waitFor({ state: "attached" });
    expect(await alice.page.getByRole("log").getAttribute("aria-label")).toBe("Messages: Everyone");
    await Promise.all([alice.close(), bob.close()]);
});

const LOOKS = [
    ["light", { colorScheme: "light", viewport: { width: 1200, height: 780 } }],
    ["dark", { colorScheme: "dark", viewport: { width: 1200, height: 780 } }],
    ["phone", { colorScheme: "light", viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }],
    ["phone-dark", { colorScheme: "dark", viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }],
] as const;

describe.each(LOOKS)("in %s", (name, options) => {
    /** Checks accessibility and layout of the page as it is now, and saves a screenshot. */
    async function check(page: Page, what: string): Promise<void> {
        await screenshot(page, `chat-${what}-${name}`);
        expect(await accessibilityViolations(page)).toEqual([]);
        expect(await overflow(page)).toBe(0);
    }

    test("every view is accessible and fits", { timeout: 180_000 }, async () => {
        // A new server, whose history is empty.
        const server = await Server.start("", "--development");
        const alice = await Visitor.open(setup.browser, server.url, options);
        const { page } = alice;
        const phone = name.startsWith("phone");
        const openSidebar = async (): Promise<void> => {
            if (phone) await page.getByRole("button", { name: /^People/ }).click();
        };
        await page.getByText("More login options").click();
        await check(page, "login-open");
        await page.getByText("More login options").click();
        await check(page, "login");
        await chooseUser(page, "alice");
        await check(page, "guide");

        const bob = await logIn(setup.browser, server.url, "bob");
        await send(page, "Morning! Is the release note ready?");
        await receive(bob.page, "Morning! Is the release note ready?");
        await send(
            bob.page,
            "Nearly. I want one more look at the chapter on delivery: it promises a lot, and I would like every sentence " +
                "of it to be checked before it is out.",
            "Ten minutes.",
        );
        await receive(page, "Ten minutes.");
        await send(page, "Take twenty. https://example.com/" + "a-very-long-address-without-a-space/".repeat(4));
        await check(page, "everyone");

        await page.getByRole("button", { name: "Go offline" }).click();
        await page.getByRole("button", { name: "Go online" }).waitFor();
        await check(page, "offline");
        await select(bob.page, "alice");
        await send(bob.page, "It is done.", "The numbers are from this morning’s run.", "Your name is on the page.");
        await page.getByRole("button", { name: "Go online" }).click();
        await page.getByRole("button", { name: "Read 3 from bob" }).waitFor();
        await check(page, "held-banner");
        await page.getByRole("button", { name: "Read 3 from bob" }).click();
        await page.getByRole("heading", { level: 1, name: "bob" }).waitFor();
        await send(page, "Reading it now.");
        await check(page, "held");

        await openSidebar();
        await check(page, "sidebar");
        await page.getByRole("button", { name: "Write to someone else" }).click();
        await check(page, "dialog");
        await page.keyboard.press("Escape");
        await page.getByRole("button", { name: "Log out" }).click();
        await page.getByText("You are logged out").waitFor();
        await check(page, "logged-out");
        expect(alice.errors).toEqual([]);
        await Promise.all([alice.close(), bob.close()]);
        await server.remove();
    });
});
