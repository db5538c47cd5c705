import type { Properties } from "../engine/recorder.js";
import { json, many } from "../graph.js";
import type { Endpoint } from "./endpoint.js";

/** What is changed of a resource before it is made, because the endpoint is not AWS. There is nothing else. */
export interface Adaptation {
    readonly type: string;
    readonly what: string;
    readonly why: string;
    readonly change: (inputs: Properties) => Properties;
}

/** What the endpoint takes as it is told, and does not act by. */
export interface WithoutEffect {
    readonly what: string;
    readonly why: string;
}

/** Of the emulator that scripts/local-aws runs, each looked up in it. */
export const WITHOUT_EFFECT: readonly WithoutEffect[] = [
    { what: "alarms on queues and on how far replays are behind", why: "it has no such metrics; of functions it has invocations, errors and throttles" },
    { what: "the dashboard", why: "it draws none" },
    { what: "access logs, metrics and traces of the APIs, traces of the functions", why: "it makes none" },
    { what: "throttling of the WebSocket API and the token API", why: "it throttles REST APIs alone" },
    { what: "who may invoke a function", why: "its API Gateway invokes any, and asks no function's policy" },
    { what: "retries, bisection and the destination of failures of the stream's event source", why: "it tries a failed batch again for ever" },
    { what: "concurrency of the queue's and the stream's event source", why: "it hands over one batch at a time, of all users" },
    { what: "the condition in the producer API's mapping template", why: "it evaluates no #if, and no $context.requestId: a notification without an id is refused with 400" },
    { what: "encryption at rest, point-in-time recovery", why: "it keeps the settings" },
];

/** On AWS the right to an action is that to its batch too, which no policy can name by itself. */
const BATCHES = ["sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"];

interface Statement {
    readonly Action: string | readonly string[];
    readonly Condition?: unknown;
}

function withBatches(statement: Statement): Statement {
    const actions = many(statement.Action);
    const batches = actions.filter((action) => BATCHES.includes(action)).map((action) => `${action}Batch`);
    return batches.length === 0 ? statement : { ...statement, Action: [...actions, ...batches] };
}

/** What refuses whoever comes without TLS. */
function isForTls({ Condition }: Statement): boolean {
    return JSON.stringify(Condition) === JSON.stringify({ Bool: { "aws:SecureTransport": "false" } });
}

/** A policy with other statements; empty, which is none, when there are none. */
function ofStatements(policy: unknown, change: (statements: readonly Statement[]) => readonly Statement[]): string {
    const document = json(policy) as { readonly Statement: readonly Statement[] };
    const statements = change(document.Statement);
    return statements.length === 0 ? "" : JSON.stringify({ ...document, Statement: statements });
}

function withVariable(inputs: Properties, name: string, value: string): Properties {
    const { variables } = inputs["environment"] as { readonly variables: Properties };
    return { ...inputs, environment: { variables: { ...variables, [name]: value } } };
}

/** The architecture of this machine, by Lambda's name. */
function architecture(): string {
    return process.arch === "arm64" ? "arm64" : "x86_64";
}

const WITHOUT_TLS: Adaptation = {
    type: "aws:sqs/queuePolicy:QueuePolicy",
    what: "what refuses everybody who comes without TLS is left out",
    why: "the endpoint has no TLS",
    change: (inputs) => ({ ...inputs, policy: ofStatements(inputs["policy"], (all) => all.filter((one) => !isForTls(one))) }),
};

/** All there are. */
export function adaptations(endpoint: Endpoint): readonly Adaptation[] {
    return [
        {
            type: "aws:lambda/function:Function",
            what: "AWS_ENDPOINT_URL is in the environment",
            why: "functions would call AWS itself",
            change: (inputs) => withVariable(inputs, "AWS_ENDPOINT_URL", endpoint.through),
        },
        {
            type: "aws:lambda/function:Function",
            what: `the architecture is ${architecture()}`,
            why: "the archives hold binaries of this machine, for they are run on it",
            change: (inputs) => ({ ...inputs, architectures: [architecture()] }),
        },
        {
            type: "aws:iam/rolePolicy:RolePolicy",
            what: `who has the right to one of ${BATCHES.join(", ")} has that to its batch by name`,
            // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
            why: "the emulator asks for the batch by its own name, and AWS has none for it",
            change: (inputs) => ({ ...inputs, policy: ofStatements(inputs["policy"], (all) => all.map(withBatches)) }),
        },
        ...(endpoint.url.startsWith("https:") ? [] : [WITHOUT_TLS]),
    ];
}

/** The inputs as the endpoint is told them. */
export function adapted(all: readonly Adaptation[], type: string, inputs: Properties): Properties {
    return all.filter((one) => one.type === type).reduce((changed, one) => one.change(changed), inputs);
}
