import { join } from "node:path";

import { JsonValue } from "./json-value.js";

/** Root folder of the repository. */
export const REPOSITORY = join(__dirname, "../..");

const FILE = join(REPOSITORY, "contracts/deployment/v1/deployment.json");

/** Kinds of resources that environment variables name and permissions apply to. */
export const RESOURCES = [
    "connectionsTable",
    "connectionsStream",
    "mailboxTable",
    "hubsTable",
    "ratesTable",
    "tokensTable",
    "historyTable",
    "notificationsQueue",
    "deadLetterQueue",
    "replayFailureQueue",
    "tokenKey",
    "jwtSecret",
    "hmacSecret",
    "connections",
    "connectionDeletions",
] as const;
export type ResourceName = (typeof RESOURCES)[number];

/** A DynamoDB table. All key attributes are strings. */
export interface TableContract {
    readonly name: string;
    readonly partitionKey: string;
    readonly sortKey: string | undefined;
    readonly ttl: string;
    readonly stream: "KEYS_ONLY" | undefined;
    /** True if a deployment may omit the table. */
    readonly optional: boolean;
}

/**
 * An environment variable of a function. It has a default, or names a resource, or both: then a deployment may omit
 * the resource.
 */
export interface Variable {
    readonly name: string;
    readonly purpose: string;
    readonly default: string | undefined;
    readonly resource: ResourceName | undefined;
}

/** Actions that a function may take on a resource. */
export interface Permission {
    readonly resource: ResourceName;
    readonly actions: readonly string[];
}

/** A function on Lambda. */
export interface FunctionContract {
    readonly name: string;
    readonly variables: readonly Variable[];
    readonly permissions: readonly Permission[];
    readonly timeoutSeconds: number;
}

/** Method and path of an HTTP request that the gateway answers. */
export interface HttpRoute {
    readonly method: string;
    readonly path: string;
}

/** The names and limits in deployment.json, which services, tests and this program share. */
export interface Contract {
    readonly tables: readonly TableContract[];
    readonly functions: readonly FunctionContract[];
    /** Route keys of the WebSocket API. */
    readonly routes: readonly string[];
    readonly tokenRoute: HttpRoute;
    readonly producerRoute: HttpRoute;
    /** The path has the queue's index as a variable in braces. */
    readonly producerQueueRoute: HttpRoute;
    /** The path has variables in braces. */
    readonly historyRoute: HttpRoute;
    readonly queueSource: {
        readonly batchSize: number;
        readonly visibilityTimeoutSeconds: number;
        readonly maxReceiveCount: number;
    };
    readonly streamSource: {
        readonly batchSize: number;
        readonly parallelizationFactor: number;
        readonly maximumRetryAttempts: number;
        readonly eventName: string;
    };
    /** Schedule on which the replayer queues scheduled replays. */
    readonly sweepSchedule: string;
}

function table(json: JsonValue): TableContract {
    const stream = json.member("stream");
    return {
        name: json.member("name").nonEmptyString(),
        partitionKey: json.member("partitionKey").nonEmptyString(),
        sortKey: json.member("sortKey").nonEmptyStringOrNull(),
        ttl: json.member("ttl").nonEmptyString(),
        stream: stream.value === null ? undefined : stream.oneOf(["KEYS_ONLY"] as const),
        optional: json.member("optional").boolean(),
    };
}

function variable(json: JsonValue): Variable {
    const resource = json.member("resource");
    return {
        name: json.member("name").nonEmptyString(),
        purpose: json.member("purpose").nonEmptyString(),
        default: json.member("default").stringOrNull(),
        resource: resource.value === null ? undefined : resource.oneOf(RESOURCES),
    };
}

function permission(json: JsonValue): Permission {
    return {
        resource: json.member("resource").oneOf(RESOURCES),
        actions: json.member("actions").list((action) => action.nonEmptyString()),
    };
}

function functionContract(json: JsonValue): FunctionContract {
    return {
        name: json.member("name").nonEmptyString(),
        variables: json.member("variables").list(variable),
        permissions: json.member("permissions").list(permission),
        timeoutSeconds: json.member("timeoutSeconds").positiveInteger(),
    };
}

function httpRoute(json: JsonValue): HttpRoute {
    return { method: json.member("method").nonEmptyString(), path: json.member("path").nonEmptyString() };
}

/** Reads and checks deployment.json. Throws an error that names the first wrong value. */
export function readContract(file = FILE): Contract {
    const json = JsonValue.ofFile(file);
    const version = json.member("version").positiveInteger();
    if (version !== 1) {
        throw new Error(`${file} has version ${version}; this program supports version 1`);
    }
    const queue = json.member("queueSource");
    const stream = json.member("streamSource");
    return {
        tables: json.member("tables").list(table),
        functions: json.member("functions").list(functionContract),
        routes: json.member("routes").list((route) => route.nonEmptyString()),
        tokenRoute: httpRoute(json.member("tokenDoor")),
        producerRoute: httpRoute(json.member("producerDoor")),
        producerQueueRoute: httpRoute(json.member("producerQueueDoor")),
        historyRoute: httpRoute(json.member("historyDoor")),
        queueSource: {
            batchSize: queue.member("batchSize").positiveInteger(),
            visibilityTimeoutSeconds: queue.member("visibilityTimeoutSeconds").positiveInteger(),
            maxReceiveCount: queue.member("maxReceiveCount").positiveInteger(),
        },
        streamSource: {
            batchSize: stream.member("batchSize").positiveInteger(),
            parallelizationFactor: stream.member("parallelizationFactor").positiveInteger(),
            maximumRetryAttempts: stream.member("maximumRetryAttempts").positiveInteger(),
            eventName: stream.member("eventName").nonEmptyString(),
        },
        sweepSchedule: json.member("sweepSchedule").nonEmptyString(),
    };
}

/** Returns the entry with this name; throws if there is none. */
export function findByName<T extends { readonly name: string }>(entries: readonly T[], name: string): T {
    const found = entries.find((entry) => entry.name === name);
    if (found === undefined) {
        throw new Error(`the contract has no ${name}; it has ${entries.map((entry) => entry.name).join(", ")}`);
    }
    return found;
}

export const contract = readContract();
