import * as pulumi from "@pulumi/pulumi";

import type { Settings } from "./configuration.js";
import { contract, findByName } from "./contract.js";
import { environment, type ResourceRefs } from "./policies.js";
import { queueNames } from "./queue.js";
import { STAGE } from "./websocket-api.js";

/** Size of a function's environment in JSON, in bytes (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). */
const LARGEST_ENVIRONMENT = 4096;

/** Throws if Lambda would refuse a function with these variables. */
export function checkEnvironment(name: string, variables: Readonly<Record<string, string>>): void {
    const size = Buffer.byteLength(JSON.stringify(variables));
    if (size > LARGEST_ENVIRONMENT) {
        throw new pulumi.RunError(
            `the environment of ${name} has ${size} bytes, and Lambda takes ${LARGEST_ENVIRONMENT}; use a shorter name for the stack, fewer queues ` +
                "(tidings:queues) or shorter settings",
        );
    }
}

/**
 * Throws if the dispatcher's environment, which has the addresses of all queues, would be too large. The addresses are
 * as long as those that AWS gives, so that this is known before anything is made.
 */
export function checkDispatcherEnvironment(prefix: string, settings: Settings): void {
    const region = new pulumi.Config("aws").get("region") ?? "us-east-1";
    const account = "0".repeat(12);
    const urls = (names: readonly string[]): { readonly value: string; readonly arn: string } => {
        return { value: names.map((name) => `https://sqs.${region}.amazonaws.com/${account}/${name}`).join(","), arn: "" };
    };
    const table = (name: string): { readonly value: string; readonly arn: string } => ({ value: `${prefix}-${name}`, arn: "" });
    const resources: ResourceRefs = {
        connectionsTable: table("connections"),
        mailboxTable: table("mailbox"),
        hubsTable: table("hubs"),
        notificationsQueue: urls(queueNames(prefix, settings).notifications),
        deadLetterQueue: urls(queueNames(prefix, settings).deadLetters),
        // Ids of APIs have ten characters.
        connections: { value: `https://${"0".repeat(10)}.execute-api.${region}.amazonaws.com/${STAGE}`, arn: "" },
        ...(settings.history ? { historyTable: table("history") } : {}),
    };
    const epoch: readonly (readonly [string, string])[] = settings.queueEpoch === 0 ? [] : [["TIDINGS_QUEUE_EPOCH", String(settings.queueEpoch)]];
    const known = new Map([...settings.variables, ...epoch]);
    checkEnvironment("dispatcher", environment(findByName(contract.functions, "dispatcher"), resources, known) as Record<string, string>);
}
