// The programs of the documents that are for pages, word for word, in a browser.
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

/** What a program says of where the server is, made true. */
function here(code: string): string {
    return code
        .replaceAll("http://127.0.0.1:8080", server.url)
        .replaceAll("ws://127.0.0.1:8080", server.url.replace("http", "ws"))
        .replaceAll("wss://tidings.example.com", server.url.replace("http", "ws"));
}

/** A page on a server of its own, which has tokens for alice: that of the document. */
async function visit(html: string): Promise<Visitor> {
    const program = new Program(server, { "main.mjs": snippet(CLIENTS, "token-server"), "index.html": html });
    cleanUp.push(() => program.remove());
    const visitor = await Visitor.arrive(browser, await program.line());
    cleanUp.push(() => visitor.leave());
    return visitor;
}

/** A page with a program. */
async function page(code: string, body = ""): Promise<Visitor> {
    const script = (await bundled(here(code))).replaceAll("</script", "<\\/script");
    return visit(`<!doctype html><meta charset="utf-8"><title>Test</title>${body}<script type="module">${script}</script>`);
}

/** What is held when the page comes, and what is sent when it is there, both in their order. */
async function delivers(visitor: Visitor, from: number): Promise<void> {
    const texts = (count: number): string[] => Array.from({ length: count }, (_, n) => `{"n":${from + n}}`);
    await visitor.page.locator("li").nth(1).waitFor();
    await server.produce("alice", from + 2, from + 3);
    await visitor.page.locator("li").nth(2).waitFor();
    expect(await visitor.page.locator("li").allTextContents()).toEqual(texts(3));
    expect(await visitor.page.getByRole("status").textContent()).toBe("open");
    expect(visitor.complaints).toEqual([]);
}

test("a page without a build", async () => {
    await server.produce("alice", 0, 2);
    const visitor = await visit(here(snippet(CLIENTS, "script-tag")));
    await delivers(visitor, 0);
});

test("React", async () => {
    await server.produce("alice", 10, 12);
    const visitor = await page(snippet(CLIENTS, "react"), '<div id="root"></div>');
    await delivers(visitor, 10);
});

/** Shows what a program gives to `show`, for which it has no more than a name. */
const SHOWN = `
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

test("the client's README: a loop", async () => {
    await server.produce("alice", 20, 22);
    const visitor = await page(snippet(README, "loop"), SHOWN);
    await visitor.page.locator("li").nth(1).waitFor();
    expect(await visitor.page.locator("li").allTextContents()).toEqual(['alice-20 {"n":20}', 'alice-21 {"n":21}']);
    expect(visitor.complaints).toEqual([]);
});

test("the client's README: listeners", async () => {
    await server.produce("alice", 30, 32);
    const visitor = await page(`${CONNECTED}${snippet(README, "listeners")}`, SHOWN);
    await delivers(visitor, 30);
    await visitor.page.evaluate("dispatchEvent(new Event('pagehide'))");
    await visitor.page.getByText("closed").waitFor();
});

/** What the document has in its program before. */
const CONNECTED = `
    import { connect } from "@tidings/client";
    const client = connect({
        url: "wss://tidings.example.com/ws",
        token: async () => (await fetch("/tidings-token", { method: "POST" })).text(),
    });
    declare const store: (payload: unknown) => Promise<void>;
    declare const line: HTMLElement;
`;

test("all of them are of the right types", () => {
    // Within the workspace, for its packages to be found; where neither git nor the linter looks.
    const folder = fileURLToPath(new URL("../node_modules/.snippets", import.meta.url));
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const show = "declare const show: (id: string, payload: unknown) => void;\n";
    const files = {
        "react.tsx": snippet(CLIENTS, "react"),
        "loop.ts": show + snippet(README, "loop"),
        "listeners.ts": CONNECTED + snippet(README, "listeners"),
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
