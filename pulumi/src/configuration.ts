import { resolve } from "node:path";

import * as pulumi from "@pulumi/pulumi";

import type { Account } from "./account.js";
import { contract } from "./contract.js";

/** Steady rate, in requests per second, and burst, in requests (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html). */
export interface Throttle {
    readonly rate: number;
    readonly burst: number;
}

/** Authentication of handshakes. */
export interface Handshake {
    readonly methods: readonly string[];
    /** Accepted issuers of JSON Web Tokens, in the JSON form of TIDINGS_JWT_ISSUERS. When absent, the users' issuer alone. */
    readonly issuers: string | undefined;
    /** Prefix of the user ids of each issuer that has one, by its `iss`. */
    readonly userPrefixes: ReadonlyMap<string, string>;
    /** Existing secret of issuers with HS256. */
    readonly jwtSecretArn: string | undefined;
    /** Existing secret of signed headers. */
    readonly hmacSecretArn: string | undefined;
}

/** Treatment of fields of a notification that the contract doesn't know, at the producers' API. */
export type UnknownFields = (typeof UNKNOWN_FIELDS)[number];

/** Configuration of a stack. Pulumi.yaml describes each key and has its default. */
export interface Settings {
    readonly production: boolean;
    /** Folder of the functions' archives. */
    readonly archives: string;
    readonly memoryMib: number;
    /** Environment variables that override their defaults. */
    readonly variables: ReadonlyMap<string, string>;
    /** Reserved concurrency of each function, by the function's name in the contract. */
    readonly reservedConcurrency: ReadonlyMap<string, number>;
    readonly dispatcherMaximumConcurrency: number | undefined;
    /** Number of notifications queues. */
    readonly queues: number;
    /** Epoch of sequences. */
    readonly queueEpoch: number;
    /** Epoch for which the operator has emptied the queues that go. */
    readonly emptiedForEpoch: number;
    readonly logRetentionDays: number;
    /** Issuer of the users' tokens. When absent, the stack has a Cognito user pool. */
    readonly externalIssuer: { readonly issuer: string; readonly audiences: readonly string[] } | undefined;
    readonly unknownFields: UnknownFields;
    readonly allowedOrigins: readonly string[];
    readonly handshake: Handshake;
    readonly webSocket: Throttle;
    /** Throttle of handshakes alone, which strangers can send. */
    readonly connect: Throttle;
    readonly mfa: Mfa;
    readonly token: Throttle;
    readonly producer: Throttle;
    readonly apiGatewayLogs: ApiGatewayLogsSetting;
    readonly history: boolean;
    readonly oldestMessageAlarmSeconds: number;
    readonly iteratorAgeAlarmSeconds: number;
    readonly alarmEmail: string | undefined;
    readonly alarmTopicArn: string | undefined;
}

/** Access logs of the WebSocket API and the producer API, which need a role that the account has once in a region. */
export type ApiGatewayLogsSetting = (typeof API_GATEWAY_LOGS)[number];

const API_GATEWAY_LOGS = ["off", "existing", "account"] as const;

const UNKNOWN_FIELDS = ["refuse", "ignore"] as const;

/** A second factor at the login of the user pool. */
export type Mfa = (typeof MFA)[number];

const MFA = ["off", "optional", "required"] as const;

// The longest name of a function and of its role, the shortest limit of all names
// (https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html,
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html).
const LONGEST_FUNCTION_NAME = 64;

const METHODS = ["token", "jwt", "hmac", "open"];

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
const RETENTION_DAYS = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/** Reads and checks configuration keys. Errors name the key, the value found and what is expected. */
class ConfigReader {
    private readonly config = new pulumi.Config();

    boolean(key: string): boolean {
        return this.config.requireBoolean(key);
    }

    /** Reads a string; an empty one counts as absent. */
    string(key: string): string | undefined {
        const value = this.config.require(key);
        return value === "" ? undefined : value;
    }

    integer(key: string, expected: string, isAllowed: (value: number) => boolean): number {
        const value = this.config.requireNumber(key);
        return Number.isInteger(value) && isAllowed(value) ? value : this.refuse(key, value, expected);
    }

    strings(key: string): readonly string[] {
        const list = this.config.requireObject<unknown>(key);
        const isStrings = Array.isArray(list) && list.every((element): element is string => typeof element === "string");
        return isStrings ? list : this.refuse(key, list, "a list of strings");
    }

    /** Reads a list of `name=value`. `read` parses a pair, and returns `undefined` to refuse it. */
    pairs<T>(key: string, expected: string, read: (name: string, value: string) => T | undefined): ReadonlyMap<string, T> {
        const pairs = this.strings(key).map((pair): readonly [string, T] => {
            const at = pair.indexOf("=");
            const name = pair.slice(0, Math.max(at, 0));
            const value = at > 0 ? read(name, pair.slice(at + 1)) : undefined;
            return value === undefined ? this.refuse(key, pair, expected) : [name, value];
        });
        return new Map(pairs);
    }

    /** Refuses a key that another one has replaced. */
    refuseReplaced(key: string, advice: string): void {
        const value = this.config.get(key);
        if (value !== undefined) {
            this.refuse(key, value, advice);
        }
    }

    refuse(key: string, found: unknown, expected: string): never {
        throw new pulumi.RunError(`${this.config.name}:${key} has ${JSON.stringify(found)}; expected ${expected}`);
    }
}

/** Environment variables that have a configuration key of their own. */
const VARIABLES_WITH_OWN_KEY = ["TIDINGS_AUTH_METHODS", "TIDINGS_ALLOWED_ORIGINS", "TIDINGS_JWT_ISSUERS", "TIDINGS_USER_PREFIX", "TIDINGS_QUEUE_EPOCH"];

/** Returns true if a function reads the variable, it names no resource, and it has no configuration key of its own. */
function isSetting(name: string): boolean {
    if (VARIABLES_WITH_OWN_KEY.includes(name)) {
        return false;
    }
    const variables = contract.functions.flatMap((entry) => entry.variables);
    return variables.some((variable) => variable.name === name && variable.resource === undefined);
}

function apiGatewayLogs(read: ConfigReader): ApiGatewayLogsSetting {
    const value = read.string("apiGatewayLogs");
    return API_GATEWAY_LOGS.find((known) => known === value) ?? read.refuse("apiGatewayLogs", value, API_GATEWAY_LOGS.join(", "));
}

function unknownFields(read: ConfigReader): UnknownFields {
    const value = read.string("unknownFields");
    return UNKNOWN_FIELDS.find((known) => known === value) ?? read.refuse("unknownFields", value, UNKNOWN_FIELDS.join(" or "));
}

function mfa(read: ConfigReader, production: boolean): Mfa {
    const value = read.string("mfa") ?? (production ? "optional" : "off");
    return MFA.find((known) => known === value) ?? read.refuse("mfa", value, MFA.join(", "));
}

/** Returns an origin as browsers send it, without the default port of its scheme. */
function asSent(origin: string): string {
    return URL.canParse(origin) && `${new URL(origin).origin}:${defaultPort(origin)}` === origin ? new URL(origin).origin : origin;
}

function defaultPort(origin: string): string {
    return origin.startsWith("https:") ? "443" : "80";
}

function isOrigin(text: string): boolean {
    return URL.canParse(text) && new URL(text).origin === text;
}

function externalIssuer(read: ConfigReader): Settings["externalIssuer"] {
    const issuer = read.string("jwtIssuer");
    const audiences = read.strings("jwtAudiences");
    if (issuer === undefined) {
        return audiences.length === 0 ? undefined : read.refuse("jwtAudiences", audiences, "no audience without jwtIssuer");
    }
    if (!issuer.startsWith("https://") || !URL.canParse(issuer)) {
        return read.refuse("jwtIssuer", issuer, "an https URL");
    }
    return audiences.length > 0 ? { issuer, audiences } : read.refuse("jwtAudiences", audiences, "at least one audience with jwtIssuer");
}

/** The members of an issuer that the program uses. The authorizer checks all of them. */
interface HandshakeIssuer {
    readonly issuer?: unknown;
    readonly algorithm?: unknown;
    readonly audiences?: unknown;
    readonly any_audience?: unknown;
    readonly user_prefix?: unknown;
}

function parseIssuers(read: ConfigReader, json: string): readonly HandshakeIssuer[] {
    const refuse = (expected: string): never => read.refuse("handshakeIssuers", json, expected);
    let list: unknown;
    try {
        list = JSON.parse(json);
    } catch {
        return refuse("a JSON array");
    }
    const isObject = (issuer: unknown): issuer is HandshakeIssuer => typeof issuer === "object" && issuer !== null;
    if (!Array.isArray(list) || !list.every(isObject)) {
        return refuse("a JSON array of objects");
    }
    const hasAudience = ({ algorithm, audiences, any_audience: any }: HandshakeIssuer): boolean =>
        algorithm === "HS256" || any === true || (Array.isArray(audiences) && audiences.length > 0);
    if (!list.every(hasAudience)) {
        return refuse('"audiences" for each issuer with public keys, or "any_audience": true');
    }
    return list;
}

function userPrefixes(issuers: readonly HandshakeIssuer[]): ReadonlyMap<string, string> {
    return new Map(
        issuers.flatMap(({ issuer, user_prefix: prefix }): readonly (readonly [string, string])[] =>
            typeof issuer === "string" && typeof prefix === "string" ? [[issuer, prefix]] : [],
        ),
    );
}

function secretArn(read: ConfigReader, key: string): string | undefined {
    const arn = read.string(key);
    const isArn = arn === undefined || /^arn:[^:]+:secretsmanager:[^:]+:[0-9]+:secret:.+-[A-Za-z0-9]{6}$/.test(arn);
    return isArn ? arn : read.refuse(key, arn, "the whole ARN of a secret, including its six-character suffix");
}

function handshake(read: ConfigReader): Handshake {
    const methods = read.strings("handshakeMethods");
    const wrong = methods.find((method) => !METHODS.includes(method));
    if (methods.length === 0 || wrong !== undefined) {
        return read.refuse("handshakeMethods", wrong ?? methods, `at least one of ${METHODS.join(", ")}`);
    }
    const issuers = read.string("handshakeIssuers");
    const prefixes = userPrefixes(issuers === undefined ? [] : parseIssuers(read, issuers));
    return { methods, issuers, userPrefixes: prefixes, jwtSecretArn: secretArn(read, "jwtSecretArn"), hmacSecretArn: secretArn(read, "hmacSecretArn") };
}

function throttle(read: ConfigReader, api: string): Throttle {
    const positive = (key: string): number => read.integer(key, "a whole number of at least 1", (value) => value > 0);
    return { rate: positive(`${api}Rate`), burst: positive(`${api}Burst`) };
}

/** Reads and checks the stack's configuration. Paths in it are relative to Pulumi.yaml. */
export function readSettings(): Settings {
    const read = new ConfigReader();
    read.refuseReplaced("apiGatewayLogsRole", "tidings:apiGatewayLogs in its place: account for true, existing for false");
    const seconds = (key: string): number => read.integer(key, "a whole number of seconds, at least 1", (value) => value > 0);
    const functions = contract.functions.map(({ name }) => name);
    const origins = read.strings("allowedOrigins").map(asSent);
    const wrong = origins.find((origin) => !isOrigin(origin));
    if (wrong !== undefined) {
        return read.refuse("allowedOrigins", wrong, "an origin such as https://app.example.com");
    }
    // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
    const concurrency = read.integer("dispatcherMaximumConcurrency", "0 for the default, or 2 to 1000", (value) => value === 0 || (value >= 2 && value <= 1000));
    const production = read.boolean("production");
    const auth = handshake(read);
    if (production && auth.methods.includes("open")) {
        return read.refuse("handshakeMethods", auth.methods, "no open with production, because anyone could connect as any user");
    }
    return {
        production,
        archives: resolve(__dirname, "..", read.string("archives") ?? "."),
        // https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
        memoryMib: read.integer("memoryMib", "128 to 10240", (value) => value >= 128 && value <= 10240),
        variables: read.pairs("settings", "NAME=value with a variable of deployment.json that has a default and no configuration key of its own", (name, value) =>
            isSetting(name) ? value : undefined,
        ),
        reservedConcurrency: read.pairs("reservedConcurrency", `function=number with one of ${functions.join(", ")}`, (name, value) =>
            functions.includes(name) && /^[1-9][0-9]*$/.test(value) ? Number(value) : undefined,
        ),
        dispatcherMaximumConcurrency: concurrency === 0 ? undefined : concurrency,
        // The limits are those of contracts/notifications/v1.
        queues: read.integer("queues", "1 to 16", (value) => value >= 1 && value <= 16),
        queueEpoch: read.integer("queueEpoch", "0 to 99", (value) => value >= 0 && value <= 99),
        emptiedForEpoch: read.integer("emptiedForEpoch", "0 to 99", (value) => value >= 0 && value <= 99),
        logRetentionDays: read.integer("logRetentionDays", RETENTION_DAYS.join(", "), (days) => RETENTION_DAYS.includes(days)),
        externalIssuer: externalIssuer(read),
        unknownFields: unknownFields(read),
        allowedOrigins: origins,
        handshake: auth,
        webSocket: throttle(read, "webSocket"),
        connect: throttle(read, "connect"),
        mfa: mfa(read, production),
        token: throttle(read, "token"),
        producer: throttle(read, "producer"),
        apiGatewayLogs: apiGatewayLogs(read),
        history: read.boolean("history"),
        oldestMessageAlarmSeconds: seconds("oldestMessageAlarmSeconds"),
        iteratorAgeAlarmSeconds: seconds("iteratorAgeAlarmSeconds"),
        alarmEmail: read.string("alarmEmail"),
        alarmTopicArn: read.string("alarmTopicArn"),
    };
}

/** Returns the prefix of all names of a stack. Throws if AWS would refuse names with it. */
export function namePrefix(project: string, stack: string): string {
    if (!/^[A-Za-z0-9_-]+$/.test(stack)) {
        throw new pulumi.RunError(`the stack's name ${stack} can't be part of names on AWS; use letters, digits, hyphens and underscores`);
    }
    const longestName = Math.max(...contract.functions.map(({ name }) => name.length));
    const longest = LONGEST_FUNCTION_NAME - `${project}--`.length - longestName;
    if (stack.length > longest) {
        throw new pulumi.RunError(`the stack's name ${stack} has ${stack.length} characters; names on AWS have room for ${longest}`);
    }
    return `${project}-${stack}`;
}

/** Settings and name prefix that all components share. */
export interface Deployment {
    readonly settings: Settings;
    readonly account: Account;
    /** Prefix of the names of all resources on AWS: `project-stack`. */
    readonly prefix: string;
}

/** Where a stack is deployed to. */
export interface Place {
    readonly partition: pulumi.Input<string>;
    readonly region: pulumi.Input<string>;
    readonly account: pulumi.Input<string>;
}

/** A deployment whose place is known. */
export interface PlacedDeployment extends Deployment {
    readonly place: Place;
    /** ARN of the key that encrypts logs and alarms, in production. */
    readonly operationsKeyArn: pulumi.Input<string> | undefined;
}
