import * as sdk from "@aws-sdk/client-secrets-manager";

import { given, type Endpoint } from "../endpoint.js";
import { handler, tags, type Handlers } from "../handler.js";
import { exactly, number, text } from "../read.js";

const secret = exactly({
    name: text,
    description: text,
    /** Of use when the secret is deleted. */
    recoveryWindowInDays: number,
    tags,
});

export function secretsManager({ client }: Endpoint): Handlers {
    const secrets = new sdk.SecretsManagerClient(client);
    return {
        "aws:secretsmanager/secret:Secret": handler(secret, async ({ name, description, tags = {} }) => {
            const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
            const made = await secrets.send(new sdk.CreateSecretCommand({ Name: name, Description: description, Tags }));
            const arn = given(made.ARN, "ARN of the secret");
            return { id: arn, outputs: { arn } };
        }),
    };
}
