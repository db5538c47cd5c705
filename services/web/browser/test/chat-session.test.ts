import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server } from "@tidings/testing/server";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { Visitor } from "./browser.ts";
import { chooseUser, connected, logIn, logInAliceAndBob, messages, receive, send } from "./chat.ts";
import { setUp } from "./setup.ts";

const setup = setUp("", "--development");

/** Logs in on a page with a clock that the test controls. */
async function logInWithClock(user: string): Promise<Visitor> {
    const visitor = await Visitor.open(setup.browser, setup.server.url);
    await visitor.page.clock.install();
    await visitor.page.reload();
    await chooseUser(visitor.page, user);
    return visitor;
}

/** Checks that the page has stored nothing. */
async function nothingStored(page: Page): Promise<void> {
    expect(await page.evaluate(() => [sessionStorage.length, localStorage.length, document.cookie])).toEqual([0, 0, ""]);
}

/** Returns a JSON Web Token of a demo user. */
async function idToken(user: string): Promise<string> {
    const answer = await fetch(`${setup.server.url}/v1/login`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ username: user, password: user }),
    });
    return ((await answer.json()) as { idToken: string }).idToken;
}

test("a wrong password shows an error, the right one logs in", async () => {
    const visitor = await Visitor.open(setup.browser, setup.server.url);
    const { page } = visitor;
    await page.getByRole("textbox", { name: "User name" }).fill("alice");
    await page.getByRole("textbox", { name: "Password" }).fill("wrong");
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByRole("alert").getByText("Wrong user name or password.").waitFor();
    await page.getByRole("textbox", { name: "Password" }).fill("alice");
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await connected(page);
    expect(visitor.errors.filter((error) => !error.includes("401"))).toEqual([]);
    await visitor.close();
});

test("the session shows its times and ends with the login", async () => {
    const alice = await logInWithClock("alice");
    const { page } = alice;
    const session = page.getByRole("region", { name: "Session" });
    await session.getByText(/since \d/).waitFor();
    const timeOnline = session.getByRole("timer", { name: "Time online" });
    await page.clock.fastForward("10:00");
    await timeOnline.getByText(/^1[0-4]:\d\d$/).waitFor();
    await session.getByRole("timer", { name: "Time until the login expires" }).getByText(/^4[5-9]:\d\d$/).waitFor();
    await page.clock.fastForward("46:00");
    await session.getByText("Your login expires soon.").waitFor();
    await page.clock.fastForward("04:00");
    await page.getByText("Your login has expired.").waitFor();
    await page.getByRole("button", { name: "Log in as alice" }).waitFor();
    await nothingStored(page);
    await page.reload();
    await page.getByRole("button", { name: "Log in as alice" }).waitFor();
    expect(alice.errors).toEqual([]);
    await alice.close();
});

test("the page goes offline automatically after the chosen time", async () => {
    const alice = await logInWithClock("alice");
    const { page } = alice;
    await page.getByRole("combobox", { name: "Go offline automatically" }).selectOption("After 5 minutes");
    await page.getByRole("timer", { name: "Offline in" }).getByText(/^[34]:\d\d$/).waitFor();
    await page.clock.fastForward("03:00");
    await connected(page);
    await page.clock.fastForward("02:01");
    await page.getByText("You went offline automatically at").waitFor();
    await page.getByRole("button", { name: "Go online" }).click();
    await connected(page);
    // The time starts again with the connection.
    await page.getByRole("timer", { name: "Offline in" }).getByText(/^[34]:\d\d$/).waitFor();
    await page.getByRole("combobox", { name: "Go offline automatically" }).selectOption("After another time…");
    await page.getByRole("spinbutton", { name: "Minutes" }).fill("2");
    await page.getByRole("button", { name: "Set" }).click();
    await page.getByRole("timer", { name: "Offline in" }).getByText(/^1:\d\d$/).waitFor();
    await page.clock.fastForward("02:01");
    await page.getByRole("button", { name: "Go online" }).waitFor();
    expect(alice.errors).toEqual([]);
    await alice.close();
});

test("a logout clears the tab and the presence", async () => {
    const [alice, bob] = await logInAliceAndBob(setup.browser, setup.server.url);
    await bob.page.getByRole("heading", { name: "Online 1" }).waitFor();
    await alice.page.getByRole("button", { name: "Log out" }).click();
    await alice.page.getByText("You are logged out").waitFor();
    await bob.page.getByText("Nobody else").waitFor();
    await nothingStored(alice.page);
    await alice.page.waitForFunction(() => document.activeElement?.textContent === "Tidings");
    await alice.page.reload();
    await alice.page.getByRole("button", { name: "Log in as alice" }).waitFor();
    expect(alice.errors).toEqual([]);
    await Promise.all([alice.close(), bob.close()]);
});

test("a guest logs in without an account", async () => {
    const guest = await Visitor.open(setup.browser, setup.server.url);
    await guest.page.getByRole("button", { name: "Continue as guest" }).click();
    await connected(guest.page);
    await guest.page.getByText("You are a guest:").waitFor();
    expect(await guest.page.locator(".me").textContent()).toMatch(/^guest-/);
    expect(guest.errors).toEqual([]);
    await guest.close();
});

test("a token in the URL is removed and used only if confirmed", async () => {
    const token = await idToken("alice");
    for (const address of [`/?access_token=${token}`, `/#access_token=${token}&token_type=Bearer`]) {
        const visitor = await Visitor.open(setup.browser, setup.server.url + address);
        const { page } = visitor;
        await page.getByRole("heading", { name: "Login from a link" }).waitFor();
        expect(page.url()).toBe(`${setup.server.url}/`);
        await nothingStored(page);
        await page.getByRole("button", { name: "Continue as alice" }).click();
        await connected(page);
        await page.getByText("JSON Web Token", { exact: true }).waitFor();
        expect(visitor.errors).toEqual([]);
        await visitor.close();
    }
});

test("a token of another issuer logs in", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tidings-issuer-"));
    const secret = join(folder, "secret");
    writeFileSync(secret, "a secret that the issuer and the gateway share");
    const issuer = `[handshake]\nshared_user_ids = true\n[[handshake.jwt_issuers]]\nissuer = "https://login.example.com"\nalgorithm = "HS256"\nsecret = "${secret}"`;
    const trusting = await Server.start(issuer, "--development");
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.floor(Date.now() / 1000) + 3600;
    const claims = { iss: "https://login.example.com", sub: "u-4711", preferred_username: "Frank", exp };
    const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
    const signature = createHmac("sha256", readFileSync(secret)).update(signed).digest("base64url");
    const frank = await Visitor.open(setup.browser, `${trusting.url}/?access_token=${signed}.${signature}`);
    await frank.page.getByText("This link logs you in as Frank (u-4711), issued by https://login.example.com").waitFor();
    await frank.page.getByRole("button", { name: "Continue as Frank" }).click();
    await connected(frank.page);
    await frank.page.locator(".me").getByText("Frank").waitFor();
    const bob = await logIn(setup.browser, trusting.url, "bob");
    await send(frank.page, "hello from elsewhere");
    await receive(bob.page, "hello from elsewhere");
    expect(await messages(bob.page).locator(".byline strong").allTextContents()).toEqual(["Frank (u-4711)"]);
    expect(frank.errors).toEqual([]);
    await Promise.all([frank.close(), bob.close()]);
    await trusting.remove();
    rmSync(folder, { recursive: true });
});

test("a pasted token logs in, other text shows an error", async () => {
    const visitor = await Visitor.open(setup.browser, setup.server.url);
    const { page } = visitor;
    await page.getByText("More login options").click();
    const field = page.getByRole("textbox", { name: "JSON Web Token" });
    await field.fill("not a token");
    await page.getByRole("button", { name: "Log in with token" }).click();
    await page.getByText("This is not a JSON Web Token that names a user").waitFor();
    await field.fill(`Bearer ${await idToken("bob")}`);
    await page.getByRole("button", { name: "Log in with token" }).click();
    await connected(page);
    expect(await page.locator(".me").textContent()).toBe("bob");
    expect(visitor.errors).toEqual([]);
    await visitor.close();
});

test("the authentication of connections can be chosen", async () => {
    const visitor = await Visitor.open(setup.browser, setup.server.url);
    const { page } = visitor;
    await page.getByText("More login options").click();
    await page.getByRole("radio", { name: /JSON Web Token/ }).check();
    await chooseUser(page, "carol");
    await page.getByText("JSON Web Token", { exact: true }).waitFor();
    await page.reload();
    await connected(page);
    await page.getByText("JSON Web Token", { exact: true }).waitFor();
    expect(visitor.errors).toEqual([]);
    await visitor.close();
});
