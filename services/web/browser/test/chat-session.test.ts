import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server } from "@tidings/testing/server";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Visitor, launch } from "./browser.ts";
import { connected, enter, hear, logIn, messages, write } from "./chat.ts";

let browser: Browser;
let server: Server;

beforeAll(async () => {
    [browser, server] = await Promise.all([launch(), Server.start("", "--development")]);
});

afterAll(async () => {
    await Promise.all([browser.close(), server.remove()]);
});

/** Somebody whose page has a clock that can be put forward. */
async function arriveWithClock(user: string): Promise<Visitor> {
    const visitor = await Visitor.arrive(browser, server.url);
    await visitor.page.clock.install();
    await visitor.page.reload();
    await enter(visitor.page, user);
    return visitor;
}

async function nothingKept(page: Page): Promise<void> {
    expect(await page.evaluate(() => [sessionStorage.length, localStorage.length, document.cookie])).toEqual([0, 0, ""]);
}

async function idToken(user: string): Promise<string> {
    const answer = await fetch(`${server.url}/v1/login`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ username: user, password: user }),
    });
    return ((await answer.json()) as { idToken: string }).idToken;
}

test("a wrong password is told in words, and the right one lets in", async () => {
    const visitor = await Visitor.arrive(browser, server.url);
    const { page } = visitor;
    await page.getByRole("textbox", { name: "User name" }).fill("alice");
    await page.getByRole("textbox", { name: "Password" }).fill("wrong");
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByRole("alert").getByText("User name or password is wrong.").waitFor();
    await page.getByRole("textbox", { name: "Password" }).fill("alice");
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await connected(page);
    expect(visitor.complaints.filter((complaint) => !complaint.includes("401"))).toEqual([]);
    await visitor.leave();
});

test("the session's times are shown, and when the login ends it is over", async () => {
    const alice = await arriveWithClock("alice");
    const { page } = alice;
    const session = page.getByRole("region", { name: "Your session" });
    await session.getByText(/since \d/).waitFor();
    const connectedFor = session.getByRole("timer", { name: "Connected for" });
    await page.clock.fastForward("10:00");
    await connectedFor.getByText(/^1[0-4]:\d\d$/).waitFor();
    await session.getByRole("timer", { name: "Login ends in" }).getByText(/^4[5-9]:\d\d$/).waitFor();
    await page.clock.fastForward("46:00");
    await session.getByText("Your login ends soon.").waitFor();
    await page.clock.fastForward("04:00");
    await page.getByText("Your login has ended.").waitFor();
    await page.getByRole("button", { name: "Log in as alice" }).waitFor();
    await nothingKept(page);
    await page.reload();
    await page.getByRole("button", { name: "Log in as alice" }).waitFor();
    expect(alice.complaints).toEqual([]);
    await alice.leave();
});

test("the page goes offline by itself after the time that was chosen", async () => {
    const alice = await arriveWithClock("alice");
    const { page } = alice;
    await page.getByRole("combobox", { name: "Go offline by itself" }).selectOption("after 5 minutes");
    await page.getByRole("timer", { name: "Goes offline in" }).getByText(/^[34]:\d\d$/).waitFor();
    await page.clock.fastForward("03:00");
    await connected(page);
    await page.clock.fastForward("02:01");
    await page.getByText("after the time you had chosen.").waitFor();
    await page.getByRole("button", { name: "Come back" }).click();
    await connected(page);
    // The time begins again with the connection.
    await page.getByRole("timer", { name: "Goes offline in" }).getByText(/^[34]:\d\d$/).waitFor();
    await page.getByRole("combobox", { name: "Go offline by itself" }).selectOption("after another time…");
    await page.getByRole("spinbutton", { name: "Minutes" }).fill("2");
    await page.getByRole("button", { name: "Set" }).click();
    await page.getByRole("timer", { name: "Goes offline in" }).getByText(/^1:\d\d$/).waitFor();
    await page.clock.fastForward("02:01");
    await page.getByRole("button", { name: "Come back" }).waitFor();
    expect(alice.complaints).toEqual([]);
    await alice.leave();
});

test("who logs out is forgotten and gone", async () => {
    const [alice, bob] = await Promise.all([logIn(browser, server.url, "alice"), logIn(browser, server.url, "bob")]);
    await bob.page.getByRole("heading", { name: "Here now 1" }).waitFor();
    await alice.page.getByRole("button", { name: "Log out" }).click();
    await alice.page.getByText("You are logged out").waitFor();
    await bob.page.getByText("Nobody else").waitFor();
    await nothingKept(alice.page);
    await alice.page.waitForFunction(() => document.activeElement?.textContent === "Tidings");
    await alice.page.reload();
    await alice.page.getByRole("button", { name: "Log in as alice" }).waitFor();
    expect(alice.complaints).toEqual([]);
    await Promise.all([alice.leave(), bob.leave()]);
});

test("a guest comes in without an account", async () => {
    const guest = await Visitor.arrive(browser, server.url);
    await guest.page.getByRole("button", { name: "Continue as a guest" }).click();
    await connected(guest.page);
    await guest.page.getByText("You are a guest:").waitFor();
    expect(await guest.page.locator(".me").textContent()).toMatch(/^guest-/);
    expect(guest.complaints).toEqual([]);
    await guest.leave();
});

test("a token that comes with the link is out of the address at once, and used only when that is wanted", async () => {
    const token = await idToken("alice");
    for (const address of [`/?access_token=${token}`, `/#access_token=${token}&token_type=Bearer`]) {
        const visitor = await Visitor.arrive(browser, server.url + address);
        const { page } = visitor;
        await page.getByRole("heading", { name: "A login came with the link" }).waitFor();
        expect(page.url()).toBe(`${server.url}/`);
        await nothingKept(page);
        await page.getByRole("button", { name: "Continue as alice" }).click();
        await connected(page);
        await page.getByText("the login’s JSON Web Token").waitFor();
        expect(visitor.complaints).toEqual([]);
        await visitor.leave();
    }
});

test("who logs in elsewhere comes with the token of that issuer", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tidings-issuer-"));
    const secret = join(folder, "secret");
    writeFileSync(secret, "a secret that the issuer and the gateway share");
    const issuer = `[[handshake.jwt_issuers]]\nissuer = "https://login.example.com"\nalgorithm = "HS256"\nsecret = "${secret}"`;
    const trusting = await Server.start(issuer, "--development");
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.floor(Date.now() / 1000) + 3600;
    const claims = { iss: "https://login.example.com", sub: "u-4711", preferred_username: "Frank", exp };
    const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
    const signature = createHmac("sha256", readFileSync(secret)).update(signed).digest("base64url");
    const frank = await Visitor.arrive(browser, `${trusting.url}/?access_token=${signed}.${signature}`);
    await frank.page.getByText("It is for Frank (u-4711), from https://login.example.com").waitFor();
    await frank.page.getByRole("button", { name: "Continue as Frank" }).click();
    await connected(frank.page);
    await frank.page.locator(".me").getByText("Frank").waitFor();
    const bob = await logIn(browser, trusting.url, "bob");
    await write(frank.page, "hello from elsewhere");
    await hear(bob.page, "hello from elsewhere");
    expect(await messages(bob.page).locator(".by strong").allTextContents()).toEqual(["Frank"]);
    expect(frank.complaints).toEqual([]);
    await Promise.all([frank.leave(), bob.leave()]);
    await trusting.remove();
    rmSync(folder, { recursive: true });
});

test("a token can be pasted, and what is none is told", async () => {
    const visitor = await Visitor.arrive(browser, server.url);
    const { page } = visitor;
    await page.getByText("Other ways to log in and connect").click();
    const field = page.getByRole("textbox", { name: "JSON Web Token" });
    await field.fill("not a token");
    await page.getByRole("button", { name: "Log in with this token" }).click();
    await page.getByText("This is no JSON Web Token that names a user").waitFor();
    await field.fill(`Bearer ${await idToken("bob")}`);
    await page.getByRole("button", { name: "Log in with this token" }).click();
    await connected(page);
    expect(await page.locator(".me").textContent()).toBe("bob");
    expect(visitor.complaints).toEqual([]);
    await visitor.leave();
});

test("the way to connect can be chosen", async () => {
    const visitor = await Visitor.arrive(browser, server.url);
    const { page } = visitor;
    await page.getByText("Other ways to log in and connect").click();
    await page.getByRole("radio", { name: /JSON Web Token/ }).check();
    await enter(page, "carol");
    await page.getByText("the login’s JSON Web Token").waitFor();
    await page.reload();
    await connected(page);
    await page.getByText("the login’s JSON Web Token").waitFor();
    expect(visitor.complaints).toEqual([]);
    await visitor.leave();
});
