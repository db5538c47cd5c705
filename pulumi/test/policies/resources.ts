import type { ResourceName } from "../../src/contract.js";
import type { Graph } from "../graph.js";

/** ARN of a resource as a call names it; undefined if the stack does not have the resource. */
type ArnOfCall = (verb: string | undefined) => string | undefined;

/**
 * Returns the ARNs on which AWS authorizes calls. That of a connection contains the call's HTTP method
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html).
 */
export function resourceArns(graph: Graph): Readonly<Record<ResourceName, ArnOfCall>> {
    const of = (type: string, name: string, output = "arn"): ArnOfCall => () => {
        const found = graph.anyOf(type).find((resource) => resource.name === name)?.outputs[output];
        return typeof found === "string" ? found : undefined;
    };
    const api = graph.resource("apigatewayv2/api", "clients");
    const stage = String(graph.resource("apigatewayv2/stage", "clients").inputs["name"]);
    const connection: ArnOfCall = (verb) => `${String(api.outputs["executionArn"])}/${stage}/${String(verb)}/@connections/L0SM9cOFvHcCIhw=`;
    return {
        connectionsTable: of("dynamodb/table", "connections"),
        connectionsStream: of("dynamodb/table", "connections", "streamArn"),
        mailboxTable: of("dynamodb/table", "mailbox"),
        hubsTable: of("dynamodb/table", "hubs"),
        ratesTable: of("dynamodb/table", "rates"),
        tokensTable: of("dynamodb/table", "tokens"),
        historyTable: of("dynamodb/table", "history"),
        notificationsQueue: of("sqs/queue", "notifications"),
        deadLetterQueue: of("sqs/queue", "dead-letters"),
        replayFailureQueue: of("sqs/queue", "replay-failures"),
        tokenKey: of("kms/key", "tokens"),
        jwtSecret: of("secretsmanager/secret", "jwt"),
        hmacSecret: of("secretsmanager/secret", "hmac"),
        connections: connection,
        connectionDeletions: connection,
    };
}
