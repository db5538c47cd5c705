import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { contract, named, readContract } from "../src/contract.js";

function file(content: unknown): string {
    const path = join(mkdtempSync(join(tmpdir(), "tidings-contract-")), "deployment.json");
    writeFileSync(path, JSON.stringify(content));
    return path;
}

test("another version is refused", () => {
    expect(() => readContract(file({ version: 2 }))).toThrow("is of version 2; this program knows version 1");
});

test("what is missing or of another kind is named", () => {
    const stream = { batchSize: 1, parallelizationFactor: 1, maximumRetryAttempts: 1, eventName: "INSERT" };
    const content = { version: 1, tables: [{ ...contract.tables[0], stream: "NEW_IMAGE" }], queueSource: {}, streamSource: stream };
    expect(() => readContract(file(content))).toThrow('tables[0]: stream is "NEW_IMAGE"; allowed is one of KEYS_ONLY');
    expect(() => readContract(file({ ...content, tables: {} }))).toThrow("tables is {}; allowed is an array");
    expect(() => readContract(file({ ...content, tables: [] }))).toThrow("functions is missing; allowed is an array");
});

test("a name that the contract does not have is refused", () => {
    expect(() => named(contract.functions, "dispacher")).toThrow("the contract has no dispacher; it has auth-token-issuer");
});
