import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { expect, test } from "vitest";
import { Visitor, accessibilityViolations, screenshot } from "./browser.ts";
import { setUp } from "./setup.ts";

/**
 * Configuration with which dead letters are easy to produce: one failure is enough, and a run whose connection ends
 * waits for the client until its time is over. Without confirmations, the server goes on to write to a client that does
 * not read.
 */
const CONFIG = `
[connections]
confirm = "written"
[store]
max_receive_count = 1
[dispatcher]
grace = "60s"
run_budget = "500ms"
`;

const setup = setUp(CONFIG);

interface DeadLetters {
    readonly items: readonly unknown[];
}

/** Sends a GET request with the API key. */
async function get(path: string): Promise<unknown> {
    const answer = await fetch(setup.server.url + path, { headers: { Authorization: `Bearer ${setup.server.apiKey}` } });
    return answer.json();
}

/** Opens a WebSocket for a user and reads nothing from it. */
async function openSilently(user: string): Promise<Socket> {
    const socket = connect(setup.server.port, "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    socket.write(
        `GET /ws?token=${await setup.server.token(user)} HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n` +
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    const connections = async (): Promise<number> =>
        ((await get(`/v1/users/${user}`)) as { connections: readonly unknown[] }).connections.length;
    await expect.poll(connections, { timeout: 30_000 }).toBe(1);
    return socket;
}

/** Produces dead letters: notifications being pushed to a client that does not read and then disconnects. */
async function produceDeadLetters(user: string): Promise<number> {
    const socket = await openSilently(user);
    const payload = "x".repeat(120_000);
    const lines = Array.from({ length: 100 }, (_, n) => JSON.stringify({ userId: user, id: `${user}-${n}`, payload }));
    await setup.server.call("/v1/notifications", lines.join("\n"), "application/x-ndjson");
    const waiting = async (): Promise<number> => {
        const { connections } = (await get(`/v1/users/${user}`)) as { connections: { waitingBytes: number }[] };
        return connections[0]?.waitingBytes ?? 0;
    };
    await expect.poll(waiting, { timeout: 30_000 }).toBeGreaterThan(0);
    socket.destroy();
    const letters = async (): Promise<number> => ((await get("/v1/dead-letters")) as DeadLetters).items.length;
    await expect.poll(letters, { timeout: 60_000 }).toBeGreaterThan(0);
    return letters();
}

test("dead letters are redriven and purged after confirmation", async () => {
    await produceDeadLetters("ann");
    await produceDeadLetters("bob");
    await produceDeadLetters("cyd");
    const visitor = await Visitor.open(setup.browser, `${setup.server.url}/console/#/dead-letters`);
    const { page } = visitor;
    await page.getByLabel("API key").fill(setup.server.apiKey);
    await page.getByRole("button", { name: "Open console" }).click();
    await page.getByRole("heading", { name: /^[3-9]\d* dead letters$/ }).waitFor();
    const rows = page.getByRole("region", { name: "Dead letters" }).locator("tbody tr");
    const before = await rows.count();
    expect(await accessibilityViolations(page)).toEqual([]);
    await screenshot(page, "console-dead-letters");

    await page.getByRole("button", { name: /^Redrive .* of ann$/ }).first().click();
    const redrive = page.getByRole("dialog", { name: "Redrive the dead letter of ann?" });
    await redrive.getByText("accepted again").waitFor();
    await redrive.getByRole("button", { name: "Cancel" }).click();
    await redrive.waitFor({ state: "detached" });
    expect(await rows.count()).toBe(before);
    await page.getByRole("button", { name: /^Redrive .* of ann$/ }).first().click();
    await redrive.getByRole("button", { name: "Redrive the dead letter of ann" }).click();
    await page.getByText("1 dead letter was redriven.").waitFor();
    await expect.poll(() => rows.count()).toBe(before - 1);

    await page.getByRole("button", { name: "Purge all" }).click();
    const left = before - 1;
    const purge = page.getByRole("dialog", { name: left === 1 ? "Purge 1 dead letter?" : `Purge ${left} dead letters?` });
    await purge.getByText("can’t be undone").waitFor();
    expect(await accessibilityViolations(page)).toEqual([]);
    await screenshot(page, "console-dead-letters-purge");
    await purge.getByRole("button", { name: /^Purge/ }).click();
    await page.getByText(/dead letters? (was|were) purged\./).waitFor();
    await page.getByText("No dead letters.").waitFor();
    expect(visitor.errors).toEqual([]);
    await visitor.close();
});
