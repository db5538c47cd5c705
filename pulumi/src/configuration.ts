import { resolve } from "node:path";

import * as pulumi from "@pulumi/pulumi";

import { contract } from "./contract.js";

/** Requests per second, and at once (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html). */
export interface Throttle {
    readonly rate: number;
    readonly burst: number;
}

/** How a handshake may prove who it is. */
export interface Handshake {
    readonly methods: readonly string[];
    /** Whose JSON Web Tokens are accepted, in JSON as the authorizer reads it, when it is not the users' issuer alone. */
    readonly issuers: string | undefined;
    /** Secrets that there are already. */
    readonly jwtSecretArn: string | undefined;
    readonly hmacSecretArn: string | undefined;
}

/** What a stack's configuration says. Pulumi.yaml describes each and has the defaults. */
export interface Settings {
    readonly production: boolean;
    /** The folder of the functions' archives. */
    readonly archives: string;
    readonly memoryMib: number;
    /** Variables that are not to have their defaults. */
    readonly variables: ReadonlyMap<string, string>;
    /** By function. */
    readonly reservedConcurrency: ReadonlyMap<string, number>;
    readonly dispatcherMaximumConcurrency: number | undefined;
    readonly logRetentionDays: number;
    /** Who issues the users' tokens, when it is not to be a user pool of ours. */
    readonly outsideIssuer: { readonly issuer: string; readonly audiences: readonly string[] } | undefined;
    readonly allowedOrigins: readonly string[];
    readonly handshake: Handshake;
    readonly webSocket: Throttle;
    readonly token: Throttle;
    readonly producer: Throttle;
    readonly apiGatewayLogsRole: boolean;
    readonly history: boolean;
    readonly oldestMessageAlarmSeconds: number;
    readonly iteratorAgeAlarmSeconds: number;
    readonly alarmEmail: string | undefined;
    readonly alarmTopicArn: string | undefined;
}

const METHODS = ["token", "jwt", "hmac", "open"];

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
const RETENTION_DAYS = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

class Reader {
    private readonly config = new pulumi.Config();

    flag(key: string): boolean {
        return this.config.requireBoolean(key);
    }

    text(key: string): string | undefined {
        const text = this.config.require(key);
        return text === "" ? undefined : text;
    }

    number(key: string, allowed: string, check: (number: number) => boolean): number {
        const number = this.config.requireNumber(key);
        return Number.isInteger(number) && check(number) ? number : this.refuse(key, number, allowed);
    }

    texts(key: string): readonly string[] {
        const list = this.config.requireObject<unknown>(key);
        const isTexts = Array.isArray(list) && list.every((one): one is string => typeof one === "string");
        return isTexts ? list : this.refuse(key, list, "a list of texts");
    }

    /** A list of `left=right`, where `read` says what a pair is, or gives nothing when it is none. */
    pairs<T>(key: string, allowed: string, read: (left: string, right: string) => T | undefined): ReadonlyMap<string, T> {
        const pairs = this.texts(key).map((text): readonly [string, T] => {
            const at = text.indexOf("=");
            const left = text.slice(0, Math.max(at, 0));
            const value = at > 0 ? read(left, text.slice(at + 1)) : undefined;
            return value === undefined ? this.refuse(key, text, allowed) : [left, value];
        });
        return new Map(pairs);
    }

    refuse(key: string, found: unknown, allowed: string): never {
        throw new Error(`${this.config.name}:${key} has ${JSON.stringify(found)}; allowed is ${allowed}`);
    }
}

/** Variables that keys of their own set. */
const WITH_KEYS = ["TIDINGS_AUTH_METHODS", "TIDINGS_ALLOWED_ORIGINS", "TIDINGS_JWT_ISSUERS"];

/** A variable that some function reads, that does not name a resource, and that no key of its own sets. */
function isSetting(name: string): boolean {
    if (WITH_KEYS.includes(name)) {
        return false;
    }
    const variables = contract.functions.flatMap((one) => one.variables);
    return variables.some((one) => one.name === name && one.resource === undefined);
}

function isOrigin(text: string): boolean {
    return URL.canParse(text) && new URL(text).origin === text;
}

function outsideIssuer(read: Reader): Settings["outsideIssuer"] {
    const issuer = read.text("jwtIssuer");
    const audiences = read.texts("jwtAudiences");
    if (issuer === undefined) {
        return audiences.length === 0 ? undefined : read.refuse("jwtAudiences", audiences, "nothing, without a jwtIssuer");
    }
    if (!issuer.startsWith("https://") || !URL.canParse(issuer)) {
        return read.refuse("jwtIssuer", issuer, "a URL with https");
    }
    return audiences.length > 0 ? { issuer, audiences } : read.refuse("jwtAudiences", audiences, "at least one, with a jwtIssuer");
}

function isList(json: string): boolean {
    try {
        return Array.isArray(JSON.parse(json));
    } catch {
        return false;
    }
}

function secretArn(read: Reader, key: string): string | undefined {
    const arn = read.text(key);
    const isArn = arn === undefined || /^arn:[^:]+:secretsmanager:[^:]+:[0-9]+:secret:.+-[A-Za-z0-9]{6}$/.test(arn);
    return isArn ? arn : read.refuse(key, arn, "the whole ARN of a secret, its last six characters included");
}

function handshake(read: Reader): Handshake {
    const methods = read.texts("handshakeMethods");
    const wrong = methods.find((method) => !METHODS.includes(method));
    if (methods.length === 0 || wrong !== undefined) {
        return read.refuse("handshakeMethods", wrong ?? methods, `at least one of ${METHODS.join(", ")}`);
    }
    const issuers = read.text("handshakeIssuers");
    if (issuers !== undefined && !isList(issuers)) {
        return read.refuse("handshakeIssuers", issuers, "a list in JSON");
    }
    return { methods, issuers, jwtSecretArn: secretArn(read, "jwtSecretArn"), hmacSecretArn: secretArn(read, "hmacSecretArn") };
}

function throttle(read: Reader, api: string): Throttle {
    const positive = (key: string): number => read.number(key, "a whole number from 1 on", (number) => number > 0);
    return { rate: positive(`${api}Rate`), burst: positive(`${api}Burst`) };
}

/** Reads the configuration. Paths are relative to Pulumi.yaml. */
export function readSettings(): Settings {
    const read = new Reader();
    const seconds = (key: string): number => read.number(key, "a whole number of seconds from 1 on", (number) => number > 0);
    const functions = contract.functions.map((one) => one.name);
    const origins = read.texts("allowedOrigins");
    const wrong = origins.find((origin) => !isOrigin(origin));
    if (wrong !== undefined) {
        return read.refuse("allowedOrigins", wrong, "an origin, as https://app.example.com");
    }
    // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
    const concurrency = read.number("dispatcherMaximumConcurrency", "0 for no limit, or 2 to 1000", (number) => number === 0 || (number >= 2 && number <= 1000));
    return {
        production: read.flag("production"),
        archives: resolve(__dirname, "..", read.text("archives") ?? "."),
        // https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
        memoryMib: read.number("memoryMib", "128 to 10240", (number) => number >= 128 && number <= 10240),
        variables: read.pairs("settings", "NAME=value with a variable of deployment.json that has a default, and no key of its own", (name, value) =>
            isSetting(name) ? value : undefined,
        ),
        reservedConcurrency: read.pairs("reservedConcurrency", `function=number with one of ${functions.join(", ")}`, (name, value) =>
            functions.includes(name) && /^[1-9][0-9]*$/.test(value) ? Number(value) : undefined,
        ),
        dispatcherMaximumConcurrency: concurrency === 0 ? undefined : concurrency,
        logRetentionDays: read.number("logRetentionDays", RETENTION_DAYS.join(", "), (days) => RETENTION_DAYS.includes(days)),
        outsideIssuer: outsideIssuer(read),
        allowedOrigins: origins,
        handshake: handshake(read),
        webSocket: throttle(read, "webSocket"),
        token: throttle(read, "token"),
        producer: throttle(read, "producer"),
        apiGatewayLogsRole: read.flag("apiGatewayLogsRole"),
        history: read.flag("history"),
        oldestMessageAlarmSeconds: seconds("oldestMessageAlarmSeconds"),
        iteratorAgeAlarmSeconds: seconds("iteratorAgeAlarmSeconds"),
        alarmEmail: read.text("alarmEmail"),
        alarmTopicArn: read.text("alarmTopicArn"),
    };
}

/** What all components share. */
export interface Deployment {
    readonly settings: Settings;
    /** What the names of all resources begin with. */
    readonly prefix: string;
}
