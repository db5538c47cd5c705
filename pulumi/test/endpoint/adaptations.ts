import type { Properties } from "../mocks/recorder.js";
import { asList, parseJson } from "../graph.js";
import { serviceEndpoints, type Endpoint } from "./endpoint.js";

/** A change to the inputs of a resource that an endpoint other than AWS needs. {@link adaptations} lists them all. */
export interface Adaptation {
    readonly type: string;
    readonly change: string;
    readonly reason: string;
    readonly apply: (inputs: Properties) => Properties;
}

/** A setting that the emulator accepts and ignores. */
export interface IgnoredSetting {
    readonly setting: string;
    readonly reason: string;
}

/** Settings that the emulator of scripts/local-aws ignores, each confirmed in its source. */
export const IGNORED_SETTINGS: readonly IgnoredSetting[] = [
    {
        setting: "alarms on queues, on APIs, on the iterator age and on shares of failures",
        reason: "the emulator has no such metrics; for functions it has invocations, errors and throttles, of which it computes nothing",
    },
    { setting: "the dashboard", reason: "the emulator displays none" },
    { setting: "access logs, metrics and traces of APIs, traces of functions", reason: "the emulator writes none" },
    { setting: "throttling of the WebSocket API and the token API", reason: "the emulator throttles REST APIs only" },
    { setting: "permissions to invoke functions", reason: "the emulator's API Gateway invokes any function" },
    {
        setting: "retries, bisection and failure destination of the stream's event source",
        reason: "the emulator retries a failed batch without end",
    },
    {
        setting: "concurrency of the event sources of queue and stream",
        reason: "the emulator delivers one batch at a time, for all users",
    },
    {
        setting: "the conditions in the producer API's mapping templates",
        reason:
            "the emulator evaluates no #if, no methods of texts and no $context.requestId: a notification without an id " +
            "is refused with 400, and one for a user whose id is written with spaces or characters beyond ASCII becomes a " +
            "dead letter; the carried form is accepted; an error of the queue with the status 400 is never made 503",
    },
    { setting: "encryption at rest, point-in-time recovery", reason: "the emulator stores the settings only" },
];

/** Actions of SQS that on AWS include the action on a batch, which a policy can't name. */
const ACTIONS_WITH_BATCH = ["sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"];

interface Statement {
    readonly Action: string | readonly string[];
    readonly Condition?: unknown;
}

function withBatchActions(statement: Statement): Statement {
    const actions = asList(statement.Action);
    const batches = actions.filter((action) => ACTIONS_WITH_BATCH.includes(action)).map((action) => `${action}Batch`);
    return batches.length === 0 ? statement : { ...statement, Action: [...actions, ...batches] };
}

/** Returns true if the statement denies requests without TLS. */
function requiresTls({ Condition }: Statement): boolean {
    return JSON.stringify(Condition) === JSON.stringify({ Bool: { "aws:SecureTransport": "false" } });
}

/** Replaces the statements of a policy. Without statements the policy is an empty string, which removes it. */
function withStatements(policy: unknown, change: (statements: readonly Statement[]) => readonly Statement[]): string {
    const document = parseJson(policy) as { readonly Statement: readonly Statement[] };
    const statements = change(document.Statement);
    return statements.length === 0 ? "" : JSON.stringify({ ...document, Statement: statements });
}

function withVariables(inputs: Properties, added: Properties): Properties {
    const { variables } = inputs["environment"] as { readonly variables: Properties };
    return { ...inputs, environment: { variables: { ...variables, ...added } } };
}

/** Returns the architecture of this machine, in Lambda's terms. */
function architecture(): string {
    return process.arch === "arm64" ? "arm64" : "x86_64";
}

const WITHOUT_TLS: Adaptation = {
    type: "aws:sqs/queuePolicy:QueuePolicy",
    change: "removes the statement that denies requests without TLS",
    reason: "the endpoint has no TLS",
    apply: (inputs) => ({
        ...inputs,
        policy: withStatements(inputs["policy"], (statements) => statements.filter((statement) => !requiresTls(statement))),
    }),
};

/** Returns all adaptations for an endpoint. */
export function adaptations(endpoint: Endpoint): readonly Adaptation[] {
    return [
        {
            type: "aws:lambda/function:Function",
            change: "sets AWS_ENDPOINT_URL, and the endpoints of single services, in the environment",
            reason: "functions would call AWS itself",
            apply: (inputs) => withVariables(inputs, { AWS_ENDPOINT_URL: endpoint.functionsUrl, ...serviceEndpoints() }),
        },
        {
            type: "aws:lambda/function:Function",
            change: `sets the architecture ${architecture()}`,
            reason: "functions run on this machine, and the archives hold binaries for it",
            apply: (inputs) => ({ ...inputs, architectures: [architecture()] }),
        },
        {
            type: "aws:iam/rolePolicy:RolePolicy",
            change: `adds the batch action of each of ${ACTIONS_WITH_BATCH.join(", ")}`,
            // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
            reason: "the emulator checks the batch action by its own name, which AWS does not have",
            apply: (inputs) => ({
                ...inputs,
                policy: withStatements(inputs["policy"], (statements) => statements.map(withBatchActions)),
            }),
        },
        ...(endpoint.url.startsWith("https:") ? [] : [WITHOUT_TLS]),
    ];
}

/** Applies all adaptations for a resource type to its inputs. */
export function adapt(all: readonly Adaptation[], type: string, inputs: Properties): Properties {
    return all
        .filter((adaptation) => adaptation.type === type)
        .reduce((changed, adaptation) => adaptation.apply(changed), inputs);
}
