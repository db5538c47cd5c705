import * as sdk from "@aws-sdk/client-kms";

import { makeClient, required, type Endpoint } from "../endpoint.js";
import { handler, tags, type Handlers } from "../handler.js";
import { exactly, flag, number, optional, text } from "../read.js";

const key = exactly({
    description: text,
    enableKeyRotation: flag,
    /** Takes effect when the key is deleted. */
    deletionWindowInDays: number,
    policy: optional(text),
    tags,
});
const alias = exactly({ name: text, targetKeyId: text });

/** Name of the only policy that a key can have. */
const PolicyName = "default";

/** Returns the handlers of KMS. */
export function kms({ client }: Endpoint): Handlers {
    const keys = makeClient(sdk.KMSClient, client);
    const rotate = async (KeyId: string, enabled: boolean): Promise<void> => {
        await (enabled ? keys.send(new sdk.EnableKeyRotationCommand({ KeyId })) : keys.send(new sdk.DisableKeyRotationCommand({ KeyId })));
    };
    const findAlias = async (name: string): Promise<sdk.AliasListEntry | undefined> => {
        for await (const { Aliases = [] } of sdk.paginateListAliases({ client: keys }, {})) {
            const found = Aliases.find(({ AliasName }) => AliasName === name);
            if (found !== undefined) {
                return found;
            }
        }
        return undefined;
    };
    return {
        "aws:kms/key:Key": handler(key, {
            create: async ({ description, enableKeyRotation, policy, tags: own = {} }) => {
                const Tags = Object.entries(own).map(([TagKey, TagValue]) => ({ TagKey, TagValue }));
                const { KeyMetadata: created } = await keys.send(new sdk.CreateKeyCommand({ Description: description, Policy: policy, Tags }));
                const id = required(created?.KeyId, "key");
                if (enableKeyRotation) {
                    await rotate(id, true);
                }
                return { id, outputs: { keyId: id, arn: required(created?.Arn, "ARN of the key") } };
            },
            read: async (KeyId) => {
                const { KeyMetadata: found } = await keys.send(new sdk.DescribeKeyCommand({ KeyId }));
                if (found?.KeyState === "PendingDeletion") {
                    return undefined;
                }
                const { KeyRotationEnabled } = await keys.send(new sdk.GetKeyRotationStatusCommand({ KeyId }));
                const { Policy } = await keys.send(new sdk.GetKeyPolicyCommand({ KeyId, PolicyName }));
                return { inputs: { description: found?.Description, enableKeyRotation: KeyRotationEnabled, policy: Policy } };
            },
            update: async (KeyId, { description, enableKeyRotation, policy }, before) => {
                if (description !== before.description) {
                    await keys.send(new sdk.UpdateKeyDescriptionCommand({ KeyId, Description: description }));
                }
                if (enableKeyRotation !== before.enableKeyRotation) {
                    await rotate(KeyId, enableKeyRotation);
                }
                if (policy !== undefined && policy !== before.policy) {
                    await keys.send(new sdk.PutKeyPolicyCommand({ KeyId, PolicyName, Policy: policy }));
                }
            },
            remove: (KeyId, { deletionWindowInDays }) =>
                keys.send(new sdk.ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: deletionWindowInDays })),
        }),
        "aws:kms/alias:Alias": handler(alias, {
            create: async ({ name, targetKeyId }) => {
                await keys.send(new sdk.CreateAliasCommand({ AliasName: name, TargetKeyId: targetKeyId }));
                return { id: name };
            },
            read: async (name) => {
                const found = await findAlias(name);
                return found && { inputs: { name: found.AliasName, targetKeyId: found.TargetKeyId } };
            },
            update: (name, { targetKeyId }) => keys.send(new sdk.UpdateAliasCommand({ AliasName: name, TargetKeyId: targetKeyId })),
            remove: (name) => keys.send(new sdk.DeleteAliasCommand({ AliasName: name })),
        }),
    };
}
