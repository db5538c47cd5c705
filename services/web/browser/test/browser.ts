import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, type Page, chromium } from "playwright-core";

/** Path of Chromium: that in CHROMIUM, or the one of Debian. */
const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** Folder of the screenshots: that in TIDINGS_SCREENSHOTS, or `web-screenshots` in cargo's target folder. */
const SCREENSHOTS =
    process.env["TIDINGS_SCREENSHOTS"] ?? fileURLToPath(new URL("../../../../target/web-screenshots", import.meta.url));

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Part of axe's report that is used here. */
interface Findings {
    readonly violations: readonly {
        readonly id: string;
        readonly impact: string | null;
        readonly help: string;
        readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
    }[];
}

/** Starts Chromium, without background requests to other servers. */
export async function launch(): Promise<Browser> {
    if (!existsSync(CHROMIUM)) {
        throw new Error(`no browser at ${CHROMIUM}: install the package chromium, or set CHROMIUM`);
    }
    return chromium.launch({
        executablePath: CHROMIUM,
        args: [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    });
}

/** A user with a browser profile of their own, so that no cookies or storage are shared. */
export class Visitor {
    /** Uncaught errors and console errors of the pages. */
    readonly errors: string[] = [];

    private constructor(
        readonly context: BrowserContext,
        readonly page: Page,
    ) {
        this.#listen(page);
    }

    /** Opens a page in a new profile. */
    static async open(browser: Browser, address: string, options: Options = {}): Promise<Visitor> {
        const context = await browser.newContext({ reducedMotion: "reduce", ...options });
        const visitor = new Visitor(context, await context.newPage());
        await visitor.page.goto(address);
        return visitor;
    }

    /** Opens another tab of the same profile. */
    async tab(address: string): Promise<Page> {
        const page = await this.context.newPage();
        this.#listen(page);
        await page.goto(address);
        return page;
    }

    /** Closes all pages of the profile. */
    async close(): Promise<void> {
        await this.context.close();
    }

    #listen(page: Page): void {
        page.on("pageerror", (error) => this.errors.push(error.message));
        page.on("console", (message) => {
            if (message.type() === "error") this.errors.push(message.text());
        });
    }
}

type Options = NonNullable<Parameters<Browser["newContext"]>[0]>;

/** Saves a screenshot of the page, for review by people. */
export async function screenshot(page: Page, name: string): Promise<void> {
    mkdirSync(SCREENSHOTS, { recursive: true });
    await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

/** Returns the serious and critical accessibility violations that axe finds. */
export async function accessibilityViolations(page: Page): Promise<string[]> {
    await page.evaluate(axe);
    const found = await page.evaluate<Findings>("axe.run()");
    return found.violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .flatMap(({ id, help, nodes }) =>
            nodes.map((node) => `${id}: ${help}: ${node.html} ${node.failureSummary ?? ""}`),
        );
}
