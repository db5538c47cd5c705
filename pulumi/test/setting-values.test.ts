import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { contract, REPOSITORY } from "../src/contract.js";
import { refusedValue, SETTING_VALUES } from "../src/setting-values.js";

const source = (path: string): string => readFileSync(join(REPOSITORY, path), "utf8");

/** Names of the environment variables, by their constants in the contract. */
const NAMES = new Map(
    [...source("contracts/deployment/v1/src/variables.rs").matchAll(/pub const (\w+): Variable =\s*\w+\(\s*"(\w+)"/g)].map(([, constant = "", name = ""]) => [constant, name]),
);

/** Sources that read the variables. */
const READERS = [
    ...["auth-token", "dispatcher", "replayer", "ws-edge"].map((service) => source(`services/${service}/lambda/src/config.rs`)),
    source("services/shared/aws/src/invocation.rs"),
].join("\n");

/** Descriptions in the functions' sources: of values that they parse by themselves, and of the types of other values. */
const TYPES = new Set([...source("services/shared/aws/src/environment.rs").matchAll(/const EXPECTED: &'static str = "([^"]+)"/g)].map(([, text = ""]) => text));
const CONSTANTS = new Map([...READERS.matchAll(/const (\w+): &str = "([^"]+)"/g)].map(([, name = "", text = ""]) => [name, text]));
const DESCRIBED = new Map(
    [...READERS.matchAll(/get_with\(\s*&variables::(\w+),\s*(?:"([^"]+)"|(\w+)),/g)].map(([, constant = "", text, name = ""]) => [NAMES.get(constant), text ?? CONSTANTS.get(name)]),
);

/** Variables that a configuration key of their own sets. */
const OWN_KEYS = ["TIDINGS_AUTH_METHODS", "TIDINGS_ALLOWED_ORIGINS", "TIDINGS_JWT_ISSUERS", "TIDINGS_USER_PREFIX", "TIDINGS_QUEUE_EPOCH"];

describe("allowed values of settings", () => {
    const variables = contract.functions.flatMap((entry) => entry.variables).filter(({ name, resource }) => resource === undefined && !OWN_KEYS.includes(name));

    test("are known for every variable, and no others", () => {
        expect(Object.keys(SETTING_VALUES).sort()).toEqual([...new Set(variables.map(({ name }) => name))].sort());
    });

    test("are described as the functions that parse them do", () => {
        expect(DESCRIBED.size).toBeGreaterThan(15);
        for (const [name, { expected }] of Object.entries(SETTING_VALUES)) {
            const described = DESCRIBED.get(name);
            if (described !== undefined) {
                expect(expected, name).toBe(described);
            } else if (name === "TIDINGS_HISTORY_TTL_DAYS") {
                expect(source("services/shared/aws/src/environment.rs")).toContain(`"${expected}"`);
            } else if (name !== "TIDINGS_TIME_RESERVE_MS") {
                expect([...TYPES], name).toContain(expected);
            }
        }
    });

    test("include every default", () => {
        for (const { name, default: value = "" } of variables) {
            expect(refusedValue(name, value), name).toBeUndefined();
        }
    });

    test.each([
        ["TIDINGS_SEND_POLICY", ["off", "same-hub", "anyone", ""], ["samehub", "Anyone"]],
        ["TIDINGS_RATE_PER_USER", ["off", "20/1000"], ["20", "20/999", "0/1000", "20/1000/1", "1/60s"]],
        ["TIDINGS_TIME_RESERVE_MS", ["0", "2000"], ["60000", "2s"]],
        ["TIDINGS_MAX_CONNECTIONS", ["off", "1"], ["0", "none"]],
        ["TIDINGS_PRESENCE", ["true", "false"], ["yes", "1"]],
        ["TIDINGS_HISTORY_TTL_DAYS", ["1", "65535"], ["0", "65536", "30d"]],
        ["TIDINGS_LOG", ["warn", "info,dispatcher=debug", "INFO"], ["warning", "info,"]],
        ["TIDINGS_JWT_COOKIES", ["auth", "session, auth"], ["a b"]],
        ["TIDINGS_INLINE_DRAIN", ["25"], ["0", "-1", "2.5"]],
    ])("of %s are taken, and others refused", (name, right, wrong) => {
        expect(right.filter((value) => refusedValue(name, value) !== undefined)).toEqual([]);
        expect(wrong.filter((value) => refusedValue(name, value) === undefined)).toEqual([]);
    });
});
