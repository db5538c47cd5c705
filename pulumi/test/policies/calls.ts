import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import * as dynamodb from "@aws-sdk/client-dynamodb";
import * as kms from "@aws-sdk/client-kms";
import * as secrets from "@aws-sdk/client-secrets-manager";
import * as sqs from "@aws-sdk/client-sqs";

import { REPOSITORY, type ResourceName } from "../../src/contract.js";

/** Calls of an adapter: the functions that make them, and the resources, by the name of the SDK's method. */
interface Adapter {
    readonly functions: readonly string[];
    readonly calls: Readonly<Record<string, readonly ResourceName[]>>;
}

/** Every call of the functions to AWS, by source file below services/. A test compares it with the sources. */
export const ADAPTERS: Readonly<Record<string, readonly Adapter[]>> = {
    "auth-token/lambda/src/cipher.rs": [
        { functions: ["auth-token-issuer"], calls: { generate_data_key: ["tokenKey"] } },
        { functions: ["auth-token-authorizer"], calls: { decrypt: ["tokenKey"] } },
    ],
    "auth-token/lambda/src/secrets.rs": [
        { functions: ["auth-token-authorizer"], calls: { get_secret_value: ["jwtSecret", "hmacSecret"] } },
    ],
    "auth-token/lambda/src/tokens.rs": [
        { functions: ["auth-token-issuer"], calls: { put_item: ["tokensTable"] } },
        { functions: ["auth-token-authorizer"], calls: { delete_item: ["tokensTable"], put_item: ["tokensTable"], batch_get_item: ["tokensTable"] } },
    ],
    "dispatcher/lambda/src/connections.rs": [
        { functions: ["dispatcher"], calls: { partition: ["connectionsTable"], delete_item: ["connectionsTable"] } },
    ],
    "dispatcher/lambda/src/history.rs": [{ functions: ["dispatcher"], calls: { batch_write: ["historyTable"] } }],
    "dispatcher/lambda/src/hubs.rs": [{ functions: ["dispatcher"], calls: { hub_rows: ["hubsTable"] } }],
    "dispatcher/lambda/src/mailbox.rs": [
        {
            functions: ["dispatcher"],
            calls: { query: ["mailboxTable"], put_item: ["mailboxTable"], update_item: ["mailboxTable"], delete_item: ["mailboxTable"], batch_write: ["mailboxTable"] },
        },
    ],
    "dispatcher/lambda/src/push.rs": [{ functions: ["dispatcher"], calls: { post_to_connection: ["connections"] } }],
    "dispatcher/lambda/src/queue.rs": [
        {
            functions: ["dispatcher"],
            calls: {
                send_message: ["notificationsQueue", "deadLetterQueue"],
                send_fifo: ["notificationsQueue"],
                change_message_visibility_batch: ["notificationsQueue"],
            },
        },
    ],
    "dispatcher/lambda/src/schedule.rs": [{ functions: ["dispatcher"], calls: { put_item: ["mailboxTable"] } }],
    "replayer/lambda/src/mailbox.rs": [{ functions: ["replayer"], calls: { query: ["mailboxTable"] } }],
    "replayer/lambda/src/queue.rs": [{ functions: ["replayer"], calls: { send_message_batch: ["notificationsQueue"] } }],
    "replayer/lambda/src/schedule.rs": [{ functions: ["replayer"], calls: { query: ["mailboxTable"], delete_item: ["mailboxTable"] } }],
    "ws-edge/lambda/src/connections.rs": [
        {
            functions: ["ws-edge"],
            calls: { put_item: ["connectionsTable"], delete_item: ["connectionsTable"], partition: ["connectionsTable"], delete_connection: ["connectionDeletions"] },
        },
    ],
    "ws-edge/lambda/src/history.rs": [
        { functions: ["ws-edge"], calls: { query: ["historyTable"], put_item: ["historyTable"], update_item: ["historyTable"] } },
    ],
    "ws-edge/lambda/src/hubs.rs": [
        {
            functions: ["ws-edge"],
            calls: { batch_write: ["hubsTable"], delete_item: ["hubsTable"], hub_rows: ["hubsTable"], query: ["hubsTable"] },
        },
    ],
    "ws-edge/lambda/src/mailbox.rs": [{ functions: ["ws-edge"], calls: { batch_write: ["mailboxTable"] } }],
    "ws-edge/lambda/src/message_queue.rs": [
        { functions: ["ws-edge"], calls: { send_message: ["notificationsQueue"], send_fifo: ["notificationsQueue"] } },
    ],
    "ws-edge/lambda/src/rate_limits.rs": [{ functions: ["ws-edge"], calls: { update_item: ["ratesTable"], get_item: ["ratesTable"] } }],
};

/** Calls of the functions' code in services/shared/aws, by source file, and the function that makes them. */
export const SHARED: Readonly<Record<string, { readonly name: string; readonly call: string }>> = {
    "batch_write.rs": { name: "batch_write", call: "batch_write_item" },
    "fifo.rs": { name: "send_fifo", call: "send_message_batch" },
    "hub_rows.rs": { name: "hub_rows", call: "query" },
    "partition.rs": { name: "partition", call: "query" },
};

/**
 * Actions that AWS takes with a function's role besides the function's own calls, each with the page that asks for them.
 * Those of an event source are on the resource of the contract; the others are in `src/policies.ts`.
 */
export const CALLS_OF_LAMBDA: readonly { readonly functionName: string; readonly resource: ResourceName; readonly actions: readonly string[]; readonly source: string }[] = [
    {
        functionName: "dispatcher",
        resource: "notificationsQueue",
        actions: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        source: "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
    },
    {
        functionName: "replayer",
        resource: "connectionsStream",
        actions: ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"],
        source: "https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html",
    },
    {
        functionName: "replayer",
        resource: "replayFailureQueue",
        actions: ["sqs:SendMessage"],
        source: "https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html",
    },
];

// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
const MANAGEMENT = new Map([["post_to_connection", "POST"], ["get_connection", "GET"], ["delete_connection", "DELETE"]]);

/** Calls that a permission of another name allows (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html). */
const BATCHES: Readonly<Record<string, string>> = {
    SendMessageBatch: "SendMessage",
    DeleteMessageBatch: "DeleteMessage",
    ChangeMessageVisibilityBatch: "ChangeMessageVisibility",
};

const SDKS = { dynamodb, kms, secretsmanager: secrets, sqs };

/** The actions of policies, by the method of the Rust SDK that they allow. */
const ACTIONS: ReadonlyMap<string, string> = new Map([
    ...Object.entries(SDKS).flatMap(([prefix, sdk]) =>
        Object.keys(sdk).filter((name) => name.endsWith("Command")).map((name): [string, string] => {
            const operation = name.replace(/Command$/, "");
            return [snake(operation), `${prefix}:${BATCHES[operation] ?? operation}`];
        }),
    ),
    ...[...MANAGEMENT.keys()].map((method): [string, string] => [method, "execute-api:ManageConnections"]),
]);

function snake(name: string): string {
    return name.replaceAll(/([A-Z])/g, (letter) => `_${letter.toLowerCase()}`).slice(1);
}

/** Returns the action that allows a call, named as a method of the SDK or as a function of {@link SHARED}. */
export function actionOf(call: string): string {
    const shared = Object.values(SHARED).find(({ name }) => name === call);
    const action = ACTIONS.get(shared?.call ?? call);
    if (action === undefined) {
        throw new Error(`${call} is no call of the SDK`);
    }
    return action;
}

/** Returns the HTTP method of a call to a connection; undefined for other calls. */
export function verbOf(call: string): string | undefined {
    return MANAGEMENT.get(call);
}

function rustFiles(folder: string): readonly string[] {
    return readdirSync(join(REPOSITORY, "services", folder), { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".rs") && !file.includes("tests"))
        .map((file) => join(folder, file));
}

/** Returns the calls in the sources below a folder of services/ by file: methods of the SDK, and functions of {@link SHARED}. */
export function callsIn(folder: string): Readonly<Record<string, readonly string[]>> {
    const shared = Object.values(SHARED).map(({ name }) => name);
    const files = rustFiles(folder).map((file): [string, readonly string[]] => {
        const source = readFileSync(join(REPOSITORY, "services", file), "utf8");
        // The SDK's methods have no arguments; those of other types with the same name have, or end a chain.
        const methods = [...source.matchAll(/\.([a-z_]+)\(\)/g)].flatMap(([, name = ""]) => (ACTIONS.has(name) ? [name] : []));
        const functions = shared.filter((name) => new RegExp(`(?<![.:\\w])(?<!fn )${name}\\(&self\\.client`).test(source));
        return [file, [...new Set([...methods, ...functions])].sort()];
    });
    return Object.fromEntries(files.filter(([, calls]) => calls.length > 0));
}
