import type { Properties } from "../mocks/recorder.js";
import { asList, parseJson } from "../graph.js";

/** Parts of a deployment that a test leaves out, to show their purpose or to replace them. */
export interface Omissions {
    /** Actions that a function's role must not have, as `function:service:action`. */
    readonly actions: readonly string[];
    /** True to create no event source: then only APIs and the test invoke functions. */
    readonly eventSources: boolean;
}

export const NO_OMISSIONS: Omissions = { actions: [], eventSources: false };

const POLICY = "aws:iam/rolePolicy:RolePolicy";
const EVENT_SOURCE = "aws:lambda/eventSourceMapping:EventSourceMapping";

interface Document {
    readonly Statement: readonly { readonly Action: string | readonly string[] }[];
}

/** Removes actions from a policy, and statements that are left without an action. */
function withoutActions(policy: unknown, actions: ReadonlySet<string>): string {
    const document = parseJson(policy) as Document;
    const statements = document.Statement.map((statement) => ({
        ...statement,
        Action: asList(statement.Action).filter((action) => !actions.has(action)),
    }));
    return JSON.stringify({ ...document, Statement: statements.filter(({ Action }) => Action.length > 0) });
}

/** Applies omissions to the inputs of a resource. Returns `undefined` if the whole resource is omitted. */
export function withOmissions(omit: Omissions, type: string, name: string, inputs: Properties): Properties | undefined {
    if (type === EVENT_SOURCE && omit.eventSources) {
        return undefined;
    }
    // The policy of a function's role has the name of the function.
    const prefix = `${name}:`;
    const actions = omit.actions.filter((action) => action.startsWith(prefix)).map((action) => action.slice(prefix.length));
    return type === POLICY && actions.length > 0 ? { ...inputs, policy: withoutActions(inputs["policy"], new Set(actions)) } : inputs;
}
