import type { Browser, Locator, Page } from "playwright-core";
import { Visitor } from "./browser.ts";

/** Opens the chat page and logs in as one of the users it shows. */
export async function logIn(browser: Browser, address: string, user: string, options = {}): Promise<Visitor> {
    const visitor = await Visitor.arrive(browser, address, options);
    await enter(visitor.page, user);
    return visitor;
}

/** Logs in on a page that is open. */
export async function enter(page: Page, user: string): Promise<void> {
    await page.getByRole("button", { name: `Log in as ${user}` }).click();
    await connected(page);
}

/** Waits until the page says that it is connected. */
export async function connected(page: Page): Promise<void> {
    await page.locator(".status-word").getByText("Connected", { exact: true }).waitFor();
}

/** Chooses a conversation. */
export async function choose(page: Page, name: string): Promise<void> {
    await page.getByRole("navigation").getByRole("button", { name: new RegExp(`^${name}`) }).click();
    await page.getByRole("heading", { level: 1, name }).waitFor();
}

/** Writes messages, one after the other, and waits until the server has accepted all of them. */
export async function write(page: Page, ...texts: readonly string[]): Promise<void> {
    const field = page.getByRole("textbox", { name: /^Message to/ });
    for (const text of texts) {
        await field.fill(text);
        await field.press("Enter");
    }
    const last = messages(page).filter({ hasText: texts.at(-1) ?? "" }).last();
    await last.getByText(/^Sent/).waitFor();
}

/** The messages of the conversation that is shown. */
export function messages(page: Page): Locator {
    return page.getByRole("log").getByRole("article");
}

/** What the messages that are shown say, from top to bottom. */
export async function said(page: Page): Promise<string[]> {
    return messages(page).locator(".text").allTextContents();
}

/** Waits for a message. */
export async function hear(page: Page, text: string): Promise<void> {
    await messages(page).locator(".text").getByText(text, { exact: true }).waitFor();
}

/** The texts 1 to `count` of something. */
export function texts(what: string, count: number): string[] {
    return Array.from({ length: count }, (_, index) => `${what} ${index + 1}`);
}

/** Makes the page think that it is in a tab that is not shown, or is. */
export async function show(page: Page, visibility: "hidden" | "visible"): Promise<void> {
    await page.evaluate((state) => {
        Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }, visibility);
}
