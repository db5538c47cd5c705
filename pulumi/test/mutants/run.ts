/**
 * Seeds each mistake of the table into a copy of the program, and fails unless the check that the table names
 * finds it. First the copy without a mistake has to pass all these checks.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { REPOSITORY } from "../../src/contract.js";
import { MUTANTS, type Mutant } from "./table.js";

const PROGRAM = join(REPOSITORY, "pulumi");
const AT_ONCE = 2;

interface Report {
    readonly testResults: readonly {
        readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
    }[];
}

/** The tests that passed and that failed, by whole name. */
interface Results {
    readonly passed: ReadonlySet<string>;
    readonly failed: ReadonlySet<string>;
    readonly log: string;
}

/** A copy of the program, which shares what is installed and the contracts with it. */
function copy(): string {
    const root = mkdtempSync(join(tmpdir(), "tidings-mutant-"));
    const installed = join(PROGRAM, "node_modules");
    cpSync(PROGRAM, join(root, "pulumi"), { recursive: true, filter: (path) => path !== installed });
    symlinkSync(installed, join(root, "pulumi/node_modules"));
    symlinkSync(join(REPOSITORY, "contracts"), join(root, "contracts"));
    return root;
}

/** Runs these checks in a copy. */
async function check(root: string, checks: readonly Mutant["check"][]): Promise<Results> {
    const files = [...new Set(checks.map(([file]) => `test/${file}.test.ts`))];
    const escaped = checks.map(([, test]) => test.replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&"));
    const report = join(root, "report.json");
    const options = ["--reporter=json", `--outputFile=${report}`, "-t", `^(${escaped.join("|")})$`];
    const child = spawn(process.execPath, [join(PROGRAM, "node_modules/vitest/vitest.mjs"), "run", ...options, ...files], {
        cwd: join(root, "pulumi"),
        stdio: ["ignore", "pipe", "pipe"],
    });
    let log = "";
    for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => (log += text));
    }
    await new Promise<void>((resolve, reject) => {
        child.on("error", reject).on("close", () => {
            resolve();
        });
    });
    const { testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
    const all = testResults.flatMap((one) => one.assertionResults);
    const having = (status: string): ReadonlySet<string> => new Set(all.filter((one) => one.status === status).map((one) => one.fullName));
    return { passed: having("passed"), failed: having("failed"), log };
}

function seed(root: string, { file, from, to, mistake }: Mutant): void {
    const path = join(root, "pulumi", file);
    const before = readFileSync(path, "utf8");
    if (before.split(from).length !== 2) {
        throw new Error(`«${mistake}» can't be seeded: ${file} has to have ${JSON.stringify(from)} once`);
    }
    writeFileSync(path, before.replace(from, () => to));
}

async function isCaught(mutant: Mutant): Promise<boolean> {
    const started = Date.now();
    const root = copy();
    try {
        seed(root, mutant);
        const { failed, log } = await check(root, [mutant.check]);
        const caught = failed.has(mutant.check[1]);
        const seconds = ((Date.now() - started) / 1000).toFixed(1);
        console.log(`${caught ? "caught" : "MISSED"} in ${seconds} s  ${mutant.mistake}\n        by ${mutant.check[0]}: ${mutant.check[1]}`);
        if (!caught) {
            console.log(log);
        }
        return caught;
    } finally {
        rmSync(root, { recursive: true });
    }
}

/** The copy without a mistake: whatever failed here would be taken for a catch. */
async function checkUnchanged(): Promise<void> {
    const root = copy();
    try {
        const { passed, log } = await check(root, MUTANTS.map((one) => one.check));
        const rest = MUTANTS.filter((one) => !passed.has(one.check[1]));
        if (rest.length > 0) {
            throw new Error(`without a mistake these do not pass: ${rest.map((one) => one.check[1]).join("; ")}\n${log}`);
        }
    } finally {
        rmSync(root, { recursive: true });
    }
}

async function main(): Promise<void> {
    await checkUnchanged();
    const waiting = [...MUTANTS];
    let missed = 0;
    const work = async (): Promise<void> => {
        for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
            missed += (await isCaught(mutant)) ? 0 : 1;
        }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    console.log(`${MUTANTS.length - missed} of ${MUTANTS.length} mistakes are caught`);
    process.exitCode = missed === 0 ? 0 : 1;
}

void main();
