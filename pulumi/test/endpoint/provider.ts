import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import type * as pulumi from "@pulumi/pulumi/provider";

import { uniqueId, type Properties } from "../mocks/recorder.js";
import { adapt, adaptations, type Adaptation } from "./adaptations.js";
import type { Endpoint } from "./endpoint.js";
import { functions, type Functions } from "./functions.js";
import type { Handler, Handlers } from "./handler.js";
import { withOmissions, type Omissions } from "./omissions.js";
import { isDeletedFirst, replacedBy } from "./schema/replacement.js";
import { apiGateway } from "./services/api-gateway.js";
import { apiGatewayV2 } from "./services/api-gateway-v2.js";
import { cloudwatch } from "./services/cloudwatch.js";
import { cognito } from "./services/cognito.js";
import { dynamodb } from "./services/dynamodb.js";
import { eventBridge } from "./services/eventbridge.js";
import { iam } from "./services/iam.js";
import { kms } from "./services/kms.js";
import { lambda } from "./services/lambda.js";
import { secretsManager } from "./services/secrets-manager.js";
import { sns } from "./services/sns.js";
import { sqs } from "./services/sqs.js";
import { differences, hasUnknown, isEquivalent, plain } from "./values.js";

const SERVICES = [apiGateway, apiGatewayV2, cloudwatch, cognito, dynamodb, eventBridge, iam, kms, lambda, secretsManager, sns, sqs];

/** Returns the version of the AWS package, which the engine expects its provider to have. */
function packageVersion(): string {
    const file = createRequire(__filename).resolve("@pulumi/aws/package.json");
    return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version;
}

/** Output in which the state has the inputs of the last update: the engine gives a provider the outputs alone. */
const INPUTS = "__inputs";

/** Returns the handlers of all services. */
export function handlers(endpoint: Endpoint): Handlers {
    return Object.assign({}, ...SERVICES.map((service) => service(endpoint))) as Handlers;
}

/** A resource that the engine names, with its handler. */
interface Named {
    readonly type: string;
    readonly name: string;
    /** Type and name, for errors. */
    readonly label: string;
    readonly handler: Handler;
}

/** Returns the state of a resource: its outputs, among them the inputs. */
function state(inputs: Properties, outputs: Properties = {}): Properties {
    return { ...inputs, ...outputs, [INPUTS]: inputs };
}

function inputsOf(stateOf: Properties): Properties {
    return stateOf[INPUTS] as Properties;
}

/** Returns an error of one sentence that names the resource. The engine shows the stack of every other error. */
function refusal(label: string, cause: unknown): Error {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const error = new Error(reason.startsWith(label) ? reason : `${label}: ${reason}`, { cause });
    error.stack = "";
    return error;
}

/**
 * A provider of the AWS package that makes, reads, changes and deletes resources on an endpoint. Which changes replace a
 * resource follows the schema of the package. It refuses types and inputs that it does not know.
 */
export class EndpointProvider implements pulumi.Provider {
    readonly version = packageVersion();
    private readonly byType: Handlers;
    private readonly changes: readonly Adaptation[];
    private readonly functions: Functions;

    constructor(
        endpoint: Endpoint,
        private readonly omit: Omissions,
    ) {
        this.byType = handlers(endpoint);
        this.changes = adaptations(endpoint);
        this.functions = functions(endpoint);
    }

    check(urn: string, _olds: Properties, news: Properties): Promise<pulumi.CheckResult> {
        const { label, handler } = this.named(urn);
        const inputs = plain(news);
        try {
            if (!hasUnknown(inputs)) {
                handler.check(inputs, label);
            }
            return Promise.resolve({ inputs });
        } catch (error) {
            return Promise.resolve({ inputs, failures: [{ property: "", reason: refusal(label, error).message }] });
        }
    }

    diff(_id: string, urn: string, olds: Properties, news: Properties): Promise<pulumi.DiffResult> {
        const { type } = this.named(urn);
        const inputs = plain(news);
        const changed = differences(inputsOf(plain(olds)), inputs);
        const replaces = changed.filter((input) => replacedBy(type).includes(input));
        return Promise.resolve({ changes: changed.length > 0, replaces, deleteBeforeReplace: replaces.length > 0 && isDeletedFirst(type, changed, inputs) });
    }

    async create(urn: string, given: Properties): Promise<pulumi.CreateResult> {
        const named = this.named(urn);
        const inputs = plain(given);
        const wanted = this.wanted(named, inputs);
        if (wanted === undefined) {
            return { id: `omitted-${uniqueId(10)}`, outs: state(inputs) };
        }
        const { id, outputs } = await this.attempt(named, () => named.handler.create(wanted, named.label));
        return { id, outs: state(inputs, outputs) };
    }

    async read(id: string, urn: string, props: Properties): Promise<pulumi.ReadResult> {
        const named = this.named(urn);
        const before = plain(props);
        const inputs = inputsOf(before);
        const wanted = this.wanted(named, inputs);
        if (wanted === undefined) {
            return { id, props: before, inputs };
        }
        const found = await this.attempt(named, () => named.handler.read(id, wanted, named.label));
        if (found === undefined) {
            return { id: "", props: {}, inputs: {} };
        }
        const observed = this.observed(inputs, wanted, found.inputs);
        const kept = Object.fromEntries(Object.entries(before).filter(([name]) => name !== INPUTS && !(name in inputs)));
        return { id, props: state(observed, { ...kept, ...found.outputs }), inputs: observed };
    }

    async update(id: string, urn: string, olds: Properties, news: Properties): Promise<pulumi.UpdateResult> {
        const named = this.named(urn);
        const before = plain(olds);
        const inputs = plain(news);
        const wanted = this.wanted(named, inputs);
        const previous = this.wanted(named, inputsOf(before));
        if (wanted !== undefined && previous !== undefined) {
            await this.attempt(named, () => named.handler.update(id, wanted, previous, named.label));
        }
        const outputs = Object.fromEntries(Object.entries(before).filter(([name]) => name !== INPUTS && !(name in inputsOf(before))));
        return { outs: state(inputs, outputs) };
    }

    async delete(id: string, urn: string, props: Properties): Promise<void> {
        const named = this.named(urn);
        const wanted = this.wanted(named, inputsOf(plain(props)));
        if (wanted !== undefined) {
            await this.attempt(named, () => named.handler.remove(id, wanted, named.label));
        }
    }

    async invoke(token: string, given: Properties): Promise<pulumi.InvokeResult> {
        const answer = this.functions[token];
        if (answer === undefined) {
            throw new Error(`unknown function ${token}`);
        }
        return { outputs: await answer(plain(given)) };
    }

    /** Returns the type and name in a URN (https://www.pulumi.com/docs/iac/concepts/resources/names/#urns). */
    private named(urn: string): Named {
        const [, , types = "", name = ""] = urn.split("::");
        const type = types.split("$").at(-1) ?? "";
        const label = `${type} ${name}`;
        const handler = this.byType[type];
        if (handler === undefined) {
            throw refusal(label, new Error("has an unknown type"));
        }
        return { type, name, label, handler };
    }

    /** Returns the inputs for the endpoint, or undefined if the test omits the resource. */
    private wanted({ type, name }: Named, inputs: Properties): Properties | undefined {
        const kept = withOmissions(this.omit, type, name, inputs);
        return kept && adapt(this.changes, type, kept);
    }

    /** Returns the inputs with what the endpoint has in place of those that it has not as wanted. */
    private observed(inputs: Properties, wanted: Properties, found: Properties): Properties {
        const names = Object.keys(inputs).filter((name) => name in found && !isEquivalent(found[name], wanted[name]));
        const { ...observed } = inputs;
        const drifted = Object.fromEntries(names.map((name) => [name, found[name]]));
        return Object.fromEntries(Object.entries({ ...observed, ...drifted }).filter(([, value]) => value !== undefined));
    }

    private async attempt<T>({ label }: Named, work: () => Promise<T>): Promise<T> {
        try {
            return await work();
        } catch (error) {
            throw refusal(label, error);
        }
    }
}
