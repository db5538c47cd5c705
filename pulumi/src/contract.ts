import { join } from "node:path";

import { Shape } from "./shape.js";

/** The repository's folder. */
export const REPOSITORY = join(__dirname, "../..");

const FILE = join(REPOSITORY, "contracts/deployment/v1/deployment.json");

/** What variables name and permissions are for. */
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
] as const;
export type ResourceName = (typeof RESOURCES)[number];

/** A table; all key attributes are strings. */
export interface TableContract {
    readonly name: string;
    readonly partitionKey: string;
    readonly sortKey: string | undefined;
    readonly ttl: string;
    readonly stream: "KEYS_ONLY" | undefined;
    /** Whether a deployment may do without it. */
    readonly optional: boolean;
}

/** An environment variable: it has a default, or names a resource. With both, a deployment may be without the resource. */
export interface Variable {
    readonly name: string;
    readonly purpose: string;
    readonly default: string | undefined;
    readonly resource: ResourceName | undefined;
}

/** What a function may do, to what. */
export interface Permission {
    readonly resource: ResourceName;
    readonly actions: readonly string[];
}

export interface FunctionContract {
    readonly name: string;
    readonly variables: readonly Variable[];
    readonly permissions: readonly Permission[];
    readonly timeoutSeconds: number;
}

/** A request that is answered over plain HTTP. */
export interface Door {
    readonly method: string;
    readonly path: string;
}

export interface Contract {
    readonly tables: readonly TableContract[];
    readonly functions: readonly FunctionContract[];
    /** Routes of the WebSocket API. */
    readonly routes: readonly string[];
    readonly tokenDoor: Door;
    readonly producerDoor: Door;
    /** Its path has variables in braces. */
    readonly historyDoor: Door;
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
}

function table(shape: Shape): TableContract {
    const stream = shape.member("stream");
    return {
        name: shape.member("name").text(),
        partitionKey: shape.member("partitionKey").text(),
        sortKey: shape.member("sortKey").textOrNull(),
        ttl: shape.member("ttl").text(),
        stream: stream.value === null ? undefined : stream.oneOf(["KEYS_ONLY"] as const),
        optional: shape.member("optional").flag(),
    };
}

function variable(shape: Shape): Variable {
    const resource = shape.member("resource");
    return {
        name: shape.member("name").text(),
        purpose: shape.member("purpose").text(),
        default: shape.member("default").anyTextOrNull(),
        resource: resource.value === null ? undefined : resource.oneOf(RESOURCES),
    };
}

function permission(shape: Shape): Permission {
    return {
        resource: shape.member("resource").oneOf(RESOURCES),
        actions: shape.member("actions").list((action) => action.text()),
    };
}

function functionContract(shape: Shape): FunctionContract {
    return {
        name: shape.member("name").text(),
        variables: shape.member("variables").list(variable),
        permissions: shape.member("permissions").list(permission),
        timeoutSeconds: shape.member("timeoutSeconds").count(),
    };
}

function door(shape: Shape): Door {
    return { method: shape.member("method").text(), path: shape.member("path").text() };
}

/** Reads the contract that services, tests and this program share. */
export function readContract(file = FILE): Contract {
    const shape = Shape.ofFile(file);
    const version = shape.member("version").count();
    if (version !== 1) {
        throw new Error(`${file} is of version ${version}; this program knows version 1`);
    }
    const queue = shape.member("queueSource");
    const stream = shape.member("streamSource");
    return {
        tables: shape.member("tables").list(table),
        functions: shape.member("functions").list(functionContract),
        routes: shape.member("routes").list((route) => route.text()),
        tokenDoor: door(shape.member("tokenDoor")),
        producerDoor: door(shape.member("producerDoor")),
        historyDoor: door(shape.member("historyDoor")),
        queueSource: {
            batchSize: queue.member("batchSize").count(),
            visibilityTimeoutSeconds: queue.member("visibilityTimeoutSeconds").count(),
            maxReceiveCount: queue.member("maxReceiveCount").count(),
        },
        streamSource: {
            batchSize: stream.member("batchSize").count(),
            parallelizationFactor: stream.member("parallelizationFactor").count(),
            maximumRetryAttempts: stream.member("maximumRetryAttempts").count(),
            eventName: stream.member("eventName").text(),
        },
    };
}

/** The one of that name. */
export function named<T extends { readonly name: string }>(all: readonly T[], name: string): T {
    const found = all.find((one) => one.name === name);
    if (found === undefined) {
        throw new Error(`the contract has no ${name}; it has ${all.map((one) => one.name).join(", ")}`);
    }
    return found;
}

export const contract = readContract();
