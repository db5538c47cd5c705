import * as sdk from "@aws-sdk/client-secrets-manager";

import { makeClient, required, type Endpoint } from "../endpoint.js";
import { handler, tags, type Handlers } from "../handler.js";
import { exactly, number, text } from "../read.js";

const secret = exactly({
    name: text,
    description: text,
    /** Takes effect when the secret is deleted. */
    recoveryWindowInDays: number,
    tags,
});

/** Returns the handlers of Secrets Manager. */
export function secretsManager({ client }: Endpoint): Handlers {
    const secrets = makeClient(sdk.SecretsManagerClient, client);
    return {
        "aws:secretsmanager/secret:Secret": handler(secret, {
            create: async ({ name, description, tags: own = {} }) => {
                const Tags = Object.entries(own).map(([Key, Value]) => ({ Key, Value }));
                const created = await secrets.send(new sdk.CreateSecretCommand({ Name: name, Description: description, Tags }));
                const arn = required(created.ARN, "ARN of the secret");
                return { id: arn, outputs: { arn } };
            },
            read: async (SecretId) => {
                const found = await secrets.send(new sdk.DescribeSecretCommand({ SecretId }));
                return found.DeletedDate === undefined ? { inputs: { name: found.Name, description: found.Description } } : undefined;
            },
            update: (SecretId, { description }) => secrets.send(new sdk.UpdateSecretCommand({ SecretId, Description: description })),
            remove: (SecretId, { recoveryWindowInDays: days }) =>
                secrets.send(
                    new sdk.DeleteSecretCommand(days === 0 ? { SecretId, ForceDeleteWithoutRecovery: true } : { SecretId, RecoveryWindowInDays: days }),
                ),
        }),
    };
}
