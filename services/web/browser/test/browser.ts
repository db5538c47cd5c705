import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, type Page, chromium } from "playwright-core";

/** Where Debian has it; or what CHROMIUM names. */
const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** Where screenshots go, for people to look at: `web-screenshots` in cargo's target folder, unless said otherwise. */
const SCREENSHOTS =
    process.env["TIDINGS_SCREENSHOTS"] ?? fileURLToPath(new URL("../../../../target/web-screenshots", import.meta.url));

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe reports, as far as it is used here. */
interface Findings {
    readonly violations: readonly {
        readonly id: string;
        readonly impact: string | null;
        readonly help: string;
        readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
    }[];
}

/** Starts Chromium, without what it would say to anybody but the page's server. */
export async function launch(): Promise<Browser> {
    if (!existsSync(CHROMIUM)) {
        throw new Error(`there is no ${CHROMIUM}: install the package chromium, or set CHROMIUM`);
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

/** Somebody with a browser of their own: no cookie or storage is shared with another's. */
export class Visitor {
    /** What went wrong in their pages: uncaught errors, and what the console calls an error. */
    readonly complaints: string[] = [];

    private constructor(
        readonly context: BrowserContext,
        readonly page: Page,
    ) {
        this.#listen(page);
    }

    static async arrive(browser: Browser, address: string, options: Options = {}): Promise<Visitor> {
        const context = await browser.newContext({ reducedMotion: "reduce", ...options });
        const visitor = new Visitor(context, await context.newPage());
        await visitor.page.goto(address);
        return visitor;
    }

    /** Another tab of the same browser. */
    async tab(address: string): Promise<Page> {
        const page = await this.context.newPage();
        this.#listen(page);
        await page.goto(address);
        return page;
    }

    async leave(): Promise<void> {
        await this.context.close();
    }

    #listen(page: Page): void {
        page.on("pageerror", (error) => this.complaints.push(error.message));
        page.on("console", (message) => {
            if (message.type() === "error") this.complaints.push(message.text());
        });
    }
}

type Options = NonNullable<Parameters<Browser["newContext"]>[0]>;

/** Keeps a picture of the page for people to look at. */
export async function screenshot(page: Page, name: string): Promise<void> {
    mkdirSync(SCREENSHOTS, { recursive: true });
    await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

/** What axe finds that is serious or worse, as texts. */
export async function barriers(page: Page): Promise<string[]> {
    await page.evaluate(axe);
    const found = await page.evaluate<Findings>("axe.run()");
    return found.violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .flatMap(({ id, help, nodes }) =>
            nodes.map((node) => `${id}: ${help}: ${node.html} ${node.failureSummary ?? ""}`),
        );
}
