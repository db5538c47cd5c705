// Runs the programs of the documentation for web pages, unchanged, in a browser.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Program } from "@tidings/testing/program";
import { Server } from "@tidings/testing/server";
import { bundled, snippet } from "@tidings/testing/snippets";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Visitor, launch } from "./browser.ts";

const CLIENTS = "docs/how-to/clients.md";
const README = "services/clients/typescript/README.md";

let browser: Browser;
let server: Server;
const cleanUp: (() => Promise<void>)[] = [];

beforeAll(async () => {
    browser = await launch();
});

beforeEach(async () => {
    server = await Server.start();
    cleanUp.push(() => server.remove());
});

afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
});

afterAll(async () => {
    await browser.close();
});

/** Replaces the example URLs in a program with those of the server. */
function withServerUrls(code: string): string {
    return code
        .replaceAll("http://127.0.0.1:8080", server.url)
        .replaceAll("ws://127.0.0.1:8080", server.url.replace("http", "ws"))
        .replaceAll("wss://tidings.example.com", server.url.replace("http", "ws"));
}

/** Opens a page of the documentation's web server, which fetches tokens for alice. */
async function visit(html: string): Promise<Visitor> {
    const program = new Program(server, { "main.mjs": snippet(CLIENTS, "token-server"), "index.html": html });
    cleanUp.push(() => program.remove());
    const visitor = await Visitor.open(browser, await program.line());
    cleanUp.push(() => visitor.close());
    return visitor;
}

/** Opens a page with a program. */
async function page(code: string, body = ""): Promise<Visitor> {
    const script = (await bundled(withServerUrls(code))).replaceAll("</script", "<\\/script");
    return visit(`<!doctype html><meta charset="utf-8"><title>Test</title>${body}<script type="module">${script}</script>`);
}

/** Checks that two held notifications and a new one are shown in order. */
async function showsNotifications(visitor: Visitor, from: number): Promise<void> {
    const texts = (count: number): string[] => Array.from({ length: count }, (_, n) => `{"n":${from + n}}`);
    await visitor.page.locator("li").nth(1).waitFor();
    await server.produce("alice", from + 2, from + 3);
    await visitor.page.locator("li").nth(2).waitFor();
    expect(await visitor.page.locator("li").allTextContents()).toEqual(texts(3));
    expect(await visitor.page.getByRole("status").textContent()).toBe("open");
    expect(visitor.errors).toEqual([]);
}

test("the page without a build step runs", async () => {
    await server.produce("alice", 0, 2);
    const visitor = await visit(withServerUrls(snippet(CLIENTS, "script-tag")));
    await showsNotifications(visitor, 0);
});

test("the React component runs", async () => {
    await server.produce("alice", 10, 12);
    const visitor = await page(snippet(CLIENTS, "react"), '<div id="root"></div>');
    await showsNotifications(visitor, 10);
});

/** Defines the functions and elements that the README's programs use, and shows what they are called with. */
const OUTPUT = `
    <ul></ul><p role="status"></p>
    <script>
        const add = (text) => {
            const item = document.createElement("li");
            item.textContent = text;
            document.querySelector("ul").append(item);
        };
        globalThis.show = (id, payload) => add(id + " " + JSON.stringify(payload));
        globalThis.store = async (payload) => add(JSON.stringify(payload));
        globalThis.line = document.querySelector("p");
    </script>`;

test("the loop of the client's README runs", async () => {
    await server.produce("alice", 20, 22);
    const visitor = await page(snippet(README, "loop"), OUTPUT);
    await visitor.page.locator("li").nth(1).waitFor();
    expect(await visitor.page.locator("li").allTextContents()).toEqual(['alice-20 {"n":20}', 'alice-21 {"n":21}']);
    expect(visitor.errors).toEqual([]);
});

test("the listeners of the client's README run", async () => {
    await server.produce("alice", 30, 32);
    const visitor = await page(`${CONNECT}${snippet(README, "listeners")}`, OUTPUT);
    await showsNotifications(visitor, 30);
    await visitor.page.evaluate("dispatchEvent(new Event('pagehide'))");
    await visitor.page.getByText("closed").waitFor();
});

/** The code before the listeners in the README. */
const CONNECT = `
    import { connect } from "@tidings/client";
    const client = connect({
        url: "wss://tidings.example.com/ws",
        token: async () => (await fetch("/tidings-token", { method: "POST" })).text(),
    });
    declare const store: (payload: unknown) => Promise<void>;
    declare const line: HTMLElement;
`;

test("the types of all programs are right", () => {
    // Inside the workspace, so that its packages are found, and ignored by git and the linter.
    const folder = fileURLToPath(new URL("../node_modules/.snippets", import.meta.url));
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const show = "declare const show: (id: string, payload: unknown) => void;\n";
    const files = {
        "react.tsx": snippet(CLIENTS, "react"),
        "loop.ts": show + snippet(README, "loop"),
        "listeners.ts": CONNECT + snippet(README, "listeners"),
        "tsconfig.json": JSON.stringify({
            extends: "../../../../tsconfig.base.json",
            compilerOptions: { jsx: "react-jsx", customConditions: ["@tidings/source"] },
            files: ["react.tsx", "loop.ts", "listeners.ts"],
        }),
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
    execFileSync(process.execPath, [tsc, "--project", folder], { stdio: ["ignore", "inherit", "inherit"] });
});
