import * as sdk from "@aws-sdk/client-secrets-manager";

import { required, type Endpoint } from "../endpoint.js";
import { handler, tags, type Handlers } from "../handler.js";
import { exactly, number, text } from "../read.js";

const secret = exactly({
    name: text,
    description: text,
    /** Accepted and not used: it takes effect when the secret is deleted. */
    recoveryWindowInDays: number,
    tags,
});

/** Returns the handlers of Secrets Manager. */
export function secretsManager({ client }: Endpoint): Handlers {
    const secrets = new sdk.SecretsManagerClient(client);
    return {
        "aws:secretsmanager/secret:Secret": handler(secret, async ({ name, description, tags = {} }) => {
            const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
            const created = await secrets.send(new sdk.CreateSecretCommand({ Name: name, Description: description, Tags }));
            const arn = required(created.ARN, "ARN of the secret");
            return { id: arn, outputs: { arn } };
        }),
    };
}
