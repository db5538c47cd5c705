import * as pulumi from "@pulumi/pulumi";

import { ApiGatewayLogs } from "./access-logs.js";
import { AuthToken } from "./auth-token.js";
import { lookUpAccount } from "./account.js";
import { namePrefix, readSettings, type Deployment } from "./configuration.js";
import type { WatchedFunction } from "./dashboard.js";
import { Dispatcher } from "./dispatcher.js";
import { Identity, type Issuer } from "./identity.js";
import { Observability } from "./observability.js";
import { OperationsKey } from "./operations-key.js";
import { ProducerApi } from "./producer-api.js";
import { checkQueues, Queue } from "./queue.js";
import { Replayer } from "./replayer.js";
import { checkArchives, type ServiceFunction } from "./service-function.js";
import { Storage } from "./storage.js";
import { TokenApi } from "./token-api.js";
import { WebSocketApi } from "./websocket-api.js";
import { WsEdge } from "./ws-edge.js";

/** Adds tags to every resource that supports them: those for which the SDK passes the input `tags`, set or not. */
function tagging(tags: Readonly<Record<string, string>>): pulumi.ResourceTransformation {
    return ({ props, opts }) => {
        const inputs = props as Readonly<Record<string, unknown>>;
        if (!("tags" in inputs)) {
            return undefined;
        }
        const own = inputs["tags"] as Readonly<Record<string, unknown>> | undefined;
        return { props: { ...inputs, tags: { ...tags, ...own } }, opts };
    };
}

/** The whole gateway: one component for each service, and one each for storage, queues, APIs, users and alarms. */
export class Gateway extends pulumi.ComponentResource {
    readonly outputs: pulumi.Inputs;

    constructor(name: string, bare: Deployment, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:Gateway", name, {}, opts);
        const { settings } = bare;
        const parent = { parent: this };
        const storage = new Storage("storage", bare, parent);
        const queue = new Queue("queue", bare, parent);
        const users = settings.externalIssuer === undefined ? new Identity("users", bare, parent) : undefined;
        const issuer = users?.issuer ?? requireIssuer(settings.externalIssuer);
        const arn = queue.notifications.arn.apply((text) => text.split(":"));
        const part = (index: number): pulumi.Output<string> => arn.apply((parts) => parts[index] ?? "");
        const place = { partition: part(1), region: part(3), account: part(4) };
        const { region } = place;
        const operationsKey = settings.production ? new OperationsKey("operations", bare, place, parent) : undefined;
        const deployment = { ...bare, place, operationsKeyArn: operationsKey?.arn };
        const authToken = new AuthToken("auth-token", deployment, { storage, users: issuer }, parent);
        const clients = new WebSocketApi("clients", deployment, parent);
        const { connections } = clients;
        const dispatcher = new Dispatcher("dispatcher", deployment, { storage, queue, connections: connections.posted }, parent);
        const edge = new WsEdge("ws-edge", deployment, { storage, queue, connections, dispatcher }, parent);
        const logs = settings.apiGatewayLogs === "account" ? [new ApiGatewayLogs("api-gateway-logs", deployment, parent).account] : [];
        const webSocketUrl = clients.serve({ authorizer: authToken.authorizer, edge: edge.service, logs });
        const replayer = new Replayer("replayer", deployment, { storage, queue, dispatcher }, parent);
        const tokens = new TokenApi("tokens", deployment, { service: authToken.issuer, issuer }, parent);
        const producers = new ProducerApi(
            "producers",
            deployment,
            { queues: queue.pairs.map(({ notifications }) => notifications), logs, ...(settings.history ? { history: edge.service } : {}) },
            parent,
        );
        const functions = [
            watched("auth-token-issuer", authToken.issuer),
            watched("auth-token-authorizer", authToken.authorizer, { failsOnPurpose: true }),
            watched("ws-edge", edge.service),
            watched("dispatcher", dispatcher.service),
            watched("replayer", replayer.service, { readsStream: true }),
        ];
        const apis = { clientsId: clients.api.id, tokensId: tokens.apiId, producersName: producers.apiName };
        const observability = new Observability("observability", deployment, { region, queues: queue, functions, apis }, parent);
        this.outputs = {
            region,
            webSocketUrl,
            tokenUrl: tokens.url,
            producerUrl: producers.url,
            producerInvokeArn: producers.invokeArn,
            ...(producers.history === undefined ? {} : { historyUrl: producers.history.url, historyInvokeArn: producers.history.invokeArn }),
            ...(producers.queues === undefined ? {} : { producerQueuesUrl: producers.queues.url, producerQueuesInvokeArn: producers.queues.invokeArn }),
            queueUrl: queue.notifications.url,
            queueArn: queue.notifications.arn,
            deadLetterUrl: queue.deadLetters.url,
            ...(settings.queues === 1
                ? {}
                : {
                      queueUrls: queue.pairs.map(({ notifications }) => notifications.url),
                      queueArns: queue.pairs.map(({ notifications }) => notifications.arn),
                      deadLetterUrls: queue.pairs.map(({ deadLetters }) => deadLetters.url),
                  }),
            replayFailureUrl: queue.replayFailures.url,
            tables: storage.names(),
            dashboardUrl: observability.dashboardUrl,
            ...authToken.secretArns,
            ...(users === undefined ? {} : { userPoolId: users.pool.id, userPoolClientId: users.client.id }),
        };
        this.registerOutputs(this.outputs);
    }
}

function requireIssuer(issuer: Deployment["settings"]["externalIssuer"]): Issuer {
    if (issuer === undefined) {
        throw new Error("the deployment has neither a user pool nor an external issuer");
    }
    return { issuer: issuer.issuer, audiences: [...issuer.audiences] };
}

function watched(name: string, service: ServiceFunction, traits: Partial<WatchedFunction> = {}): WatchedFunction {
    return { failsOnPurpose: false, readsStream: false, ...traits, name, functionName: service.function.name };
}

/** Registers the gateway with the stack's configuration and returns the stack's outputs. */
export async function deploy(): Promise<pulumi.Inputs> {
    const project = pulumi.getProject();
    const stack = pulumi.getStack();
    const prefix = namePrefix(project, stack);
    const settings = readSettings();
    checkArchives(settings);
    const tags = { project, stack };
    const account = await lookUpAccount(settings);
    await checkQueues(prefix, settings);
    return new Gateway("gateway", { settings, prefix, account }, { transformations: [tagging(tags)] }).outputs;
}
