import type { Browser, Locator, Page } from "playwright-core";
import { Visitor } from "./browser.ts";

/** Opens the chat page and logs in as a demo user. */
export async function logIn(browser: Browser, address: string, user: string, options = {}): Promise<Visitor> {
    const visitor = await Visitor.open(browser, address, options);
    await chooseUser(visitor.page, user);
    return visitor;
}

/** Logs in two users, each with a browser profile of their own. */
export function logInAliceAndBob(browser: Browser, address: string): Promise<[alice: Visitor, bob: Visitor]> {
    return Promise.all([logIn(browser, address, "alice"), logIn(browser, address, "bob")]);
}

/** Logs in as a demo user on an open page. */
export async function chooseUser(page: Page, user: string): Promise<void> {
    await page.getByRole("button", { name: `Log in as ${user}` }).click();
    await connected(page);
}

/** Waits until the page is connected. */
export async function connected(page: Page): Promise<void> {
    await page.locator(".status-label").getByText("Connected", { exact: true }).waitFor();
}

/** Selects a conversation. */
export async function select(page: Page, name: string): Promise<void> {
    await page.getByRole("navigation").getByRole("button", { name: new RegExp(`^${name}`) }).click();
    await page.getByRole("heading", { level: 1, name }).waitFor();
}

/** Sends messages and waits until the server has accepted all of them. */
export async function send(page: Page, ...texts: readonly string[]): Promise<void> {
    const field = page.getByRole("textbox", { name: /^Message to/ });
    for (const text of texts) {
        await field.fill(text);
        await field.press("Enter");
    }
    const last = messages(page).filter({ hasText: texts.at(-1) ?? "" }).last();
    await last.getByText(/^Sent/).waitFor();
}

/** Returns the messages of the selected conversation. */
export function messages(page: Page): Locator {
    return page.getByRole("log").getByRole("article");
}

/** Returns the texts of the messages of the selected conversation. */
export async function messageTexts(page: Page): Promise<string[]> {
    return messages(page).locator(".text").allTextContents();
}

/** Waits for a message. */
export async function receive(page: Page, text: string): Promise<void> {
    await messages(page).locator(".text").getByText(text, { exact: true }).waitFor();
}

/** Returns the texts `what 1` to `what count`. */
export function texts(what: string, count: number): string[] {
    return Array.from({ length: count }, (_, index) => `${what} ${index + 1}`);
}

/** Makes the page behave as in a hidden or visible tab. */
export async function setVisibility(page: Page, visibility: "hidden" | "visible"): Promise<void> {
    await page.evaluate((state) => {
        Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }, visibility);
}
