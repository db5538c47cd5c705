import * as sdk from "@aws-sdk/client-kms";

import { required, type Endpoint } from "../endpoint.js";
import { handler, tags, type Handlers } from "../handler.js";
import { exactly, flag, number, optional, text } from "../read.js";

const key = exactly({
    description: text,
    enableKeyRotation: flag,
    /** Accepted and not used: it takes effect when the key is deleted. */
    deletionWindowInDays: number,
    policy: optional(text),
    tags,
});
const alias = exactly({ name: text, targetKeyId: text });

/** Returns the handlers of KMS. */
export function kms({ client }: Endpoint): Handlers {
    const keys = new sdk.KMSClient(client);
    return {
        "aws:kms/key:Key": handler(key, async ({ description, enableKeyRotation, policy, tags = {} }) => {
            const Tags = Object.entries(tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue }));
            const { KeyMetadata: created } = await keys.send(new sdk.CreateKeyCommand({ Description: description, Policy: policy, Tags }));
            const id = required(created?.KeyId, "key");
            if (enableKeyRotation) {
                await keys.send(new sdk.EnableKeyRotationCommand({ KeyId: id }));
            }
            return { id, outputs: { keyId: id, arn: required(created?.Arn, "ARN of the key") } };
        }),
        "aws:kms/alias:Alias": handler(alias, async ({ name, targetKeyId }) => {
            await keys.send(new sdk.CreateAliasCommand({ AliasName: name, TargetKeyId: targetKeyId }));
            return { id: name };
        }),
    };
}
