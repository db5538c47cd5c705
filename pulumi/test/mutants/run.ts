/**
 * Mutation tests: makes each change of the table in a copy of the program, and fails unless the test that the table
 * names fails in that copy. Before that, an unchanged copy must pass all these tests. With an argument it makes only the
 * changes whose description contains it.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { REPOSITORY } from "../../src/contract.js";
import type { Mutant } from "./mutant.js";
import { MUTANTS } from "./table.js";

const PROGRAM = join(REPOSITORY, "pulumi");
/** Number of copies that are tested at the same time. */
const PARALLEL_COPIES = 2;

interface Report {
    readonly testResults: readonly {
        readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
    }[];
}

/** Full names of the tests that passed and failed, and the output of the test runner. */
interface Results {
    readonly passed: ReadonlySet<string>;
    readonly failed: ReadonlySet<string>;
    readonly log: string;
}

/** Copies the program to a temporary folder, with links to its node_modules and to the contracts. */
function copy(): string {
    const root = mkdtempSync(join(tmpdir(), "tidings-mutant-"));
    const installed = join(PROGRAM, "node_modules");
    cpSync(PROGRAM, join(root, "pulumi"), { recursive: true, filter: (path) => path !== installed });
    symlinkSync(installed, join(root, "pulumi/node_modules"));
    // Tests compare the program with both.
    for (const folder of ["contracts", "services"]) {
        symlinkSync(join(REPOSITORY, folder), join(root, folder));
    }
    return root;
}

/** Runs the named tests in a copy. */
async function runTests(root: string, checks: readonly Mutant["check"][]): Promise<Results> {
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
    const assertions = testResults.flatMap(({ assertionResults }) => assertionResults);
    const withStatus = (wanted: string): ReadonlySet<string> =>
        new Set(assertions.filter(({ status }) => status === wanted).map(({ fullName }) => fullName));
    return { passed: withStatus("passed"), failed: withStatus("failed"), log };
}

function mutate(root: string, { file, from, to, mistake }: Mutant): void {
    const path = join(root, "pulumi", file);
    const before = readFileSync(path, "utf8");
    if (before.split(from).length !== 2) {
        throw new Error(`can't make the mistake "${mistake}": ${file} must contain ${JSON.stringify(from)} exactly once`);
    }
    writeFileSync(path, before.replace(from, () => to));
}

async function isCaught(mutant: Mutant): Promise<boolean> {
    const started = Date.now();
    const root = copy();
    try {
        mutate(root, mutant);
        const { failed, log } = await runTests(root, [mutant.check]);
        const caught = failed.has(mutant.check[1]);
        const seconds = ((Date.now() - started) / 1000).toFixed(1);
        console.log(`${caught ? "found" : "MISSED"} in ${seconds} s  ${mutant.mistake}\n        by ${mutant.check[0]}: ${mutant.check[1]}`);
        if (!caught) {
            console.log(log);
        }
        return caught;
    } finally {
        rmSync(root, { recursive: true });
    }
}

/** Checks that an unchanged copy passes all tests. A test that fails anyway would seem to find a mistake. */
async function checkUnchanged(mutants: readonly Mutant[]): Promise<void> {
    const root = copy();
    try {
        const { passed, log } = await runTests(root, mutants.map((mutant) => mutant.check));
        const rest = mutants.map(({ check: [, test] }) => test).filter((test) => !passed.has(test));
        if (rest.length > 0) {
            throw new Error(`these tests do not pass in an unchanged copy: ${rest.join("; ")}\n${log}`);
        }
    } finally {
        rmSync(root, { recursive: true });
    }
}

async function main(): Promise<void> {
    const [, , chosen = ""] = process.argv;
    const mutants = MUTANTS.filter(({ mistake }) => mistake.includes(chosen));
    if (mutants.length === 0) {
        throw new Error(`no mistake's description contains ${chosen}`);
    }
    await checkUnchanged(mutants);
    const waiting = [...mutants];
    let missed = 0;
    const work = async (): Promise<void> => {
        for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
            missed += (await isCaught(mutant)) ? 0 : 1;
        }
    };
    await Promise.all(Array.from({ length: PARALLEL_COPIES }, work));
    console.log(`${mutants.length - missed} of ${mutants.length} mistakes were found`);
    process.exitCode = missed === 0 ? 0 : 1;
}

void main();
