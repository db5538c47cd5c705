import { expect, test } from "vitest";
import { Visitor } from "./browser.ts";
import { connected, logInAliceAndBob, receive, select, send } from "./chat.ts";
import { setUp } from "./setup.ts";

const setup = setUp('[server]\nbase_path = "/apps/tidings"\n', "--development");

test("the chat works below the base path", async () => {
    const address = `${setup.server.url}/apps/tidings`;
    const [alice, bob] = await logInAliceAndBob(setup.browser, address);
    // Addresses in the page are relative, so the server adds the slash.
    expect(alice.page.url()).toBe(`${address}/`);
    await select(alice.page, "bob");
    await send(alice.page, "hello from below");
    await select(bob.page, "alice");
    await receive(bob.page, "hello from below");
    await alice.page.reload();
    await connected(alice.page);
    expect([...alice.errors, ...bob.errors]).toEqual([]);
    await Promise.all([alice.close(), bob.close()]);
});

test("the console works below the base path", async () => {
    const visitor = await Visitor.open(setup.browser, `${setup.server.url}/apps/tidings/console`);
    const { page } = visitor;
    expect(page.url()).toBe(`${setup.server.url}/apps/tidings/console/`);
    await page.getByLabel("API key").fill(setup.server.apiKey);
    await page.getByRole("button", { name: "Open console" }).click();
    await page.getByText("Live", { exact: true }).waitFor();
    expect(visitor.errors).toEqual([]);
    await visitor.close();
});
