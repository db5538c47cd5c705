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

/** What the endpoint is told and keeps, and what is not to be seen there therefore. */
export interface WithoutEffect {
    readonly what: string;
    readonly why: string;
}

/** Of the emulator that scripts/local-aws runs, each looked up in it. */
export const WITHOUT_EFFECT: readonly WithoutEffect[] = [];

/** On AWS the right to an action is that to its batch too, which no policy can name by itself. */
const BATCHES = ["sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"];

interface Statement {
    readonly Action: string | readonly string[];
}

function withBatches<S extends Statement>(statement: S): S {
    const actions = many(statement.Action);
    const batches = actions.filter((action) => BATCHES.includes(action)).map((action) => `${action}Batch`);
    return batches.length === 0 ? statement : { ...statement, Action: [...actions, ...batches] };
}

function ofStatements(policy: unknown, change: (statement: Statement) => Statement): string {
    const document = json(policy) as { readonly Statement: readonly Statement[] };
    return JSON.stringify({ ...document, Statement: document.Statement.map(change) });
}

function withVariable(inputs: Properties, name: string, value: string): Properties {
    const { variables } = inputs["environment"] as { readonly variables: Properties };
    return { ...inputs, environment: { variables: { ...variables, [name]: value } } };
}

/** The architecture of this machine, by Lambda's name. */
function architecture(): string {
    return process.arch === "arm64" ? "arm64" : "x86_64";
}

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
            change: (inputs) => ({ ...inputs, policy: ofStatements(inputs["policy"], withBatches) }),
        },
    ];
}

/** The inputs as the endpoint is told them. */
export function adapted(all: readonly Adaptation[], type: string, inputs: Properties): Properties {
    return all.filter((one) => one.type === type).reduce((changed, one) => one.change(changed), inputs);
}
