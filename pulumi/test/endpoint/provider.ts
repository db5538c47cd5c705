import { uniqueId, type Provider } from "../engine/recorder.js";
import { adapt, adaptations } from "./adaptations.js";
import type { Endpoint } from "./endpoint.js";
import type { Handlers } from "./handler.js";
import { withOmissions, type Omissions } from "./omissions.js";
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

/** Returns the handlers of all services. */
export function handlers(endpoint: Endpoint): Handlers {
    return Object.assign({}, ...SERVICES.map((service) => service(endpoint))) as Handlers;
}

/**
 * Returns a provider that creates resources on an endpoint and calls `onCreated` with each resource's type and name.
 * It throws on a type or input that it does not know.
 */
export function endpointProvider(endpoint: Endpoint, omit: Omissions, onCreated: (resource: string) => void): Provider {
    const byType = handlers(endpoint);
    const changes = adaptations(endpoint);
    return async (type, name, inputs) => {
        const resource = `${type} ${name}`;
        const create = byType[type];
        if (create === undefined) {
            throw new Error(`${resource} has an unknown type`);
        }
        const kept = withOmissions(omit, type, name, inputs);
        if (kept === undefined) {
            return { id: uniqueId(10), outputs: inputs };
        }
        const adapted = adapt(changes, type, kept);
        const { id, outputs } = await create(adapted, resource).catch((cause: unknown) => {
            const reason = cause instanceof Error ? cause.message : String(cause);
            throw new Error(reason.startsWith(resource) ? reason : `${resource}: ${reason}`, { cause });
        });
        onCreated(resource);
        return { id, outputs: { ...adapted, ...outputs } };
    };
}
