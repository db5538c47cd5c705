import { readFileSync } from "node:fs";
import { join } from "node:path";

import { exactly, list, map, text } from "../read.js";

/**
 * What the schema of the Pulumi package for AWS says of the resource types that the program uses: all inputs, and those
 * whose change replaces the resource (`willReplaceOnChanges`). The package publishes its schema with each version
 * (https://github.com/pulumi/pulumi-aws/blob/v6.29.0/provider/cmd/pulumi-resource-aws/schema.json). Its version here is
 * older than that of the package's SDK, which does not contain the schema.
 */
const schema = exactly({
    package: text,
    version: text,
    resources: map(exactly({ inputs: list(text), replacedBy: list(text) })),
})(JSON.parse(readFileSync(join(__dirname, "aws.json"), "utf8")), "aws.json");

/** Version of the schema. */
export const SCHEMA_VERSION = schema.version;

/** Inputs that are newer than the schema, and that AWS changes in place, each with the page that says so. */
export const NEWER_INPUTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    "aws:cognito/userPool:UserPool": {
        userPoolTier: "https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPool.html",
    },
    "aws:lambda/eventSourceMapping:EventSourceMapping": { tags: "https://docs.aws.amazon.com/lambda/latest/api/API_TagResource.html" },
};

/**
 * Types that the AWS provider always deletes before it creates their replacement: an integration belongs to its method,
 * which can have one (https://github.com/pulumi/pulumi-aws/blob/v6.29.0/provider/resources.go).
 */
const DELETED_FIRST = ["aws:apigateway/integration:Integration"];

/** Returns the names of all inputs of a type. Throws if the type is unknown. */
export function inputsOf(type: string): readonly string[] {
    return [...find(type).inputs, ...Object.keys(NEWER_INPUTS[type] ?? {})];
}

/** Returns the inputs of a type whose change replaces the resource. Throws if the type is unknown. */
export function replacedBy(type: string): readonly string[] {
    return find(type).replacedBy;
}

/**
 * Returns true if the AWS provider deletes a resource before it creates the replacement. Of a resource with a name of
 * the program, rather than a generated one, there can't be two.
 */
export function isDeletedFirst(type: string, changed: readonly string[], inputs: Readonly<Record<string, unknown>>): boolean {
    return DELETED_FIRST.includes(type) || (inputs["name"] !== undefined && !changed.includes("name"));
}

function find(type: string): (typeof schema.resources)[string] {
    const found = schema.resources[type];
    if (found === undefined) {
        throw new Error(`the schema has no ${type}`);
    }
    return found;
}
