import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { contract, findByName, readContract } from "../src/contract.js";

function file(content: unknown): string {
    const path = join(mkdtempSync(join(tmpdir(), "tidings-contract-")), "deployment.json");
    writeFileSync(path, JSON.stringify(content));
    return path;
}

test("an unknown version of the contract is refused", () => {
    expect(() => readContract(file({ version: 2 }))).toThrow("has version 2; this program supports version 1");
});

test("an error names the missing or wrong value", () => {
    const stream = { batchSize: 1, parallelizationFactor: 1, maximumRetryAttempts: 1, eventName: "INSERT" };
    const content = { version: 1, tables: [{ ...contract.tables[0], stream: "NEW_IMAGE" }], queueSource: {}, streamSource: stream };
    expect(() => readContract(file(content))).toThrow('tables[0]: stream is "NEW_IMAGE"; expected one of KEYS_ONLY');
    expect(() => readContract(file({ ...content, tables: {} }))).toThrow("tables is {}; expected an array");
    expect(() => readContract(file({ ...content, tables: [] }))).toThrow("functions is missing; expected an array");
});

test("an unknown name is refused", () => {
    expect(() => findByName(contract.functions, "dispacher")).toThrow("the contract has no dispacher; it has auth-token-issuer");
});
