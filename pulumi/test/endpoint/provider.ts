import { uniqueId, type Provider } from "../engine/recorder.js";
import { adapted, adaptations } from "./adaptations.js";
import type { Endpoint } from "./endpoint.js";
import type { Handlers } from "./handler.js";
import { remaining, type Omissions } from "./omissions.js";
import { apiGateway } from "./services/api-gateway.js";
import { apiGatewayV2 } from "./services/api-gateway-v2.js";
import { cloudwatch } from "./services/cloudwatch.js";
import { cognito } from "./services/cognito.js";
import { dynamodb } from "./services/dynamodb.js";
import { iam } from "./services/iam.js";
import { kms } from "./services/kms.js";
import { lambda } from "./services/lambda.js";
import { secretsManager } from "./services/secrets-manager.js";
import { sns } from "./services/sns.js";
import { sqs } from "./services/sqs.js";

const SERVICES = [apiGateway, apiGatewayV2, cloudwatch, cognito, dynamodb, iam, kms, lambda, secretsManager, sns, sqs];

/** What makes a resource of each type. */
export function handlers(endpoint: Endpoint): Handlers {
    return Object.assign({}, ...SERVICES.map((service) => service(endpoint))) as Handlers;
}

/** Makes each resource on an endpoint, and says so. Throws on a type, and on an input, that it does not know. */
export function endpointProvider(endpoint: Endpoint, omit: Omissions, made: (line: string) => void): Provider {
    const all = handlers(endpoint);
    const changes = adaptations(endpoint);
    return async (type, name, inputs) => {
        const where = `${type} ${name}`;
        const make = all[type];
        if (make === undefined) {
            throw new Error(`${where} is of a type that is not known here`);
        }
        const left = remaining(omit, type, name, inputs);
        if (left === undefined) {
            return { id: uniqueId(10), outputs: inputs };
        }
        const told = adapted(changes, type, left);
        const { id, outputs } = await make(told, where).catch((cause: unknown) => {
            const why = cause instanceof Error ? cause.message : String(cause);
            throw new Error(why.startsWith(where) ? why : `${where}: ${why}`, { cause });
        });
        made(where);
        return { id, outputs: { ...told, ...outputs } };
    };
}
