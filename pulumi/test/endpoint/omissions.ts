import type { Properties } from "../engine/recorder.js";
import { json, many } from "../graph.js";

/** What a test leaves out of a deployment, to show what it is for or to stand in for it. */
export interface Omissions {
    /** Actions that the role of a function is not to have, as `function:service:action`. */
    readonly actions: readonly string[];
    /** Whether nothing is to invoke functions but the test and the APIs. */
    readonly eventSources: boolean;
}

export const NOTHING: Omissions = { actions: [], eventSources: false };

const POLICY = "aws:iam/rolePolicy:RolePolicy";
const EVENT_SOURCE = "aws:lambda/eventSourceMapping:EventSourceMapping";

interface Document {
    readonly Statement: readonly { readonly Action: string | readonly string[] }[];
}

/** A policy without some actions, and without statements that are about nothing else. */
function withoutActions(policy: unknown, actions: ReadonlySet<string>): string {
    const document = json(policy) as Document;
    const left = document.Statement.map((one) => ({ ...one, Action: many(one.Action).filter((action) => !actions.has(action)) }));
    return JSON.stringify({ ...document, Statement: left.filter((one) => one.Action.length > 0) });
}

/** The inputs of a resource less what is left out of it, or nothing when it is left out itself. */
export function remaining(omit: Omissions, type: string, name: string, inputs: Properties): Properties | undefined {
    if (type === EVENT_SOURCE && omit.eventSources) {
        return undefined;
    }
    // The policy of a function's role is called as the function is.
    const prefix = `${name}:`;
    const actions = omit.actions.filter((action) => action.startsWith(prefix)).map((action) => action.slice(prefix.length));
    return type === POLICY && actions.length > 0 ? { ...inputs, policy: withoutActions(inputs["policy"], new Set(actions)) } : inputs;
}
