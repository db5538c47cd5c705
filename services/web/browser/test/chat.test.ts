import { Server } from "@tidings/testing/server";
import { expect, test } from "vitest";
import { Visitor } from "./browser.ts";
import { chooseUser, connected, logIn, logInAliceAndBob, messageTexts, messages, receive, select, send, setVisibility } from "./chat.ts";
import { setUp } from "./setup.ts";

const setup = setUp("", "--development");

test("two tabs are two users who exchange messages", async () => {
    const alice = await logIn(setup.browser, setup.server.url, "alice");
    const page = await alice.tab(setup.server.url);
    await chooseUser(page, "bob");
    await send(alice.page, "hello, everybody");
    await receive(page, "hello, everybody");
    await send(page, "hello, alice");
    await receive(alice.page, "hello, alice");
    expect(await messageTexts(alice.page)).toEqual(["hello, everybody", "hello, alice"]);
    expect(await messages(page).locator(".byline strong").allTextContents()).toEqual(["alice", "You"]);

    await select(page, "alice");
    await send(page, "just for you");
    await alice.page.getByRole("button", { name: "bob 1 unread" }).click();
    await receive(alice.page, "just for you");
    await send(alice.page, "thank you");
    await receive(page, "thank you");
    expect(await messageTexts(page)).toEqual(["just for you", "thank you"]);
    await select(page, "Everyone");
    expect(await messageTexts(page)).toEqual(["hello, everybody", "hello, alice"]);
    expect(alice.errors).toEqual([]);
    await alice.close();
});

test("online users are shown as they come and go", async () => {
    const alice = await logIn(setup.browser, setup.server.url, "alice");
    const people = alice.page.getByRole("navigation", { name: "Conversations" });
    await people.getByText("Nobody else").waitFor();
    const carol = await logIn(setup.browser, setup.server.url, "carol");
    await people.getByRole("heading", { name: "Online 1" }).waitFor();
    await carol.page.getByRole("heading", { name: "Online 1" }).waitFor();
    await carol.page.getByRole("button", { name: "alice" }).waitFor();
    await carol.close();
    await people.getByText("Nobody else").waitFor();
    await alice.page.getByText("carol went offline").waitFor();
    // Messages to everyone don't reach an offline user, so the page offers a direct message.
    await alice.page.getByRole("button", { name: "Write to carol" }).click();
    await alice.page.getByText("Offline. Your messages are held").waitFor();
    await alice.close();
});

test("a reload keeps the login and each message once", async () => {
    const [alice, bob] = await logInAliceAndBob(setup.browser, setup.server.url);
    const texts = ["before the reload", "and this, too"];
    await send(bob.page, ...texts);
    await receive(alice.page, "and this, too");
    await alice.page.reload();
    await connected(alice.page);
    await receive(alice.page, "and this, too");
    expect((await messageTexts(alice.page)).filter((text) => texts.includes(text))).toEqual(texts);
    expect(alice.errors).toEqual([]);
    await Promise.all([alice.close(), bob.close()]);
});

test("messages may have several lines and are never markup", async () => {
    const [alice, bob] = await logInAliceAndBob(setup.browser, setup.server.url);
    const field = bob.page.getByRole("textbox", { name: "Message to Everyone" });
    await field.fill("<img src=x onerror=alert(1)>");
    await field.press("Shift+Enter");
    await field.pressSequentially("second line");
    await field.press("Enter");
    const text = "<img src=x onerror=alert(1)>\nsecond line";
    await receive(alice.page, text);
    expect(await alice.page.getByRole("log").locator("img").count()).toBe(0);
    // The gateway's heartbeat text can be sent all the same.
    await send(bob.page, "ping");
    await receive(alice.page, "ping");
    await field.fill("a".repeat(70_000));
    await field.press("Enter");
    await bob.page.getByRole("alert").getByText("This message is too long").waitFor();
    await send(bob.page, "a".repeat(60_000));
    expect(alice.errors).toEqual([]);
    await Promise.all([alice.close(), bob.close()]);
});

test("a hidden tab counts new messages in its title", async () => {
    const [alice, bob] = await logInAliceAndBob(setup.browser, setup.server.url);
    await alice.page.getByRole("heading", { name: "Online 1" }).waitFor();
    await setVisibility(alice.page, "hidden");
    await send(bob.page, "are you there?", "hello?");
    await alice.page.waitForFunction(() => document.title === "(2) Tidings: alice");
    await setVisibility(alice.page, "visible");
    await alice.page.waitForFunction(() => document.title === "Tidings: alice");
    await alice.page.getByText("New messages").waitFor();
    await Promise.all([alice.close(), bob.close()]);
});

test("an offline user can be written to by name", async () => {
    const alice = await logIn(setup.browser, setup.server.url, "alice");
    await alice.page.getByRole("button", { name: "Write to someone else" }).click();
    const dialog = alice.page.getByRole("dialog", { name: "New conversation" });
    await dialog.getByRole("textbox", { name: "User name" }).or(dialog.getByRole("combobox")).fill("dave");
    await dialog.getByRole("button", { name: "Start", exact: true }).click();
    await alice.page.getByRole("heading", { level: 1, name: "dave" }).waitFor();
    await send(alice.page, "for later");
    await alice.page.getByText("Sent. Held until dave is online").waitFor();
    await alice.close();
});

test("the rate limit delays messages and keeps their order", async () => {
    // So low that even a slow machine reaches the limit.
    const slow = await Server.start('[client_messages]\nrate_per_connection = "4/4s"', "--development");
    const [alice, bob] = await logInAliceAndBob(setup.browser, slow.url);
    const texts = Array.from({ length: 12 }, (_, index) => `number ${index + 1}`);
    const field = bob.page.getByRole("textbox", { name: "Message to Everyone" });
    for (const text of texts) {
        await field.fill(text);
        await field.press("Enter");
    }
    await bob.page.getByText("You reached the server’s rate limit").first().waitFor();
    await receive(alice.page, "number 12");
    expect(await messageTexts(alice.page)).toEqual(texts);
    expect(await messageTexts(bob.page)).toEqual(texts);
    await Promise.all([alice.close(), bob.close(), slow.remove()]);
});

test("without sending and history the page shows notifications", async () => {
    const strict = await Server.start();
    await strict.call("/v1/users", JSON.stringify({ username: "erin", password: "correct horse" }));
    const erin = await Visitor.open(setup.browser, strict.url);
    await erin.page.getByRole("textbox", { name: "User name" }).fill("erin");
    await erin.page.getByRole("textbox", { name: "Password" }).fill("correct horse");
    await erin.page.getByRole("button", { name: "Log in", exact: true }).click();
    await connected(erin.page);
    await erin.page.getByText("Users can’t send messages on this server.").waitFor();
    await erin.page.getByText("This server keeps no history").waitFor();
    const body = { userId: "erin", payload: { text: "build 7 passed" }, source: "builds" };
    await strict.call("/v1/notifications", JSON.stringify(body));
    await receive(erin.page, "build 7 passed");
    expect(await messages(erin.page).locator(".byline strong").allTextContents()).toEqual(["builds"]);
    expect(erin.errors).toEqual([]);
    await Promise.all([erin.close(), strict.remove()]);
});
