import * as sdk from "@aws-sdk/client-iam";

import { required, type Endpoint } from "../endpoint.js";
import { handler, tagList, tags, type Handlers } from "../handler.js";
import { exactly, text } from "../read.js";

const role = exactly({ name: text, assumeRolePolicy: text, tags });
const rolePolicy = exactly({ role: text, name: text, policy: text });
const attachment = exactly({ role: text, policyArn: text });

/** Returns the handlers of IAM. */
export function iam({ client }: Endpoint): Handlers {
    const roles = new sdk.IAMClient(client);
    return {
        "aws:iam/role:Role": handler(role, async (inputs) => {
            const { Role: created } = await roles.send(
                new sdk.CreateRoleCommand({
                    RoleName: inputs.name,
                    AssumeRolePolicyDocument: inputs.assumeRolePolicy,
                    Tags: tagList(inputs.tags),
                }),
            );
            return { id: inputs.name, outputs: { arn: required(created?.Arn, "role") } };
        }),
        "aws:iam/rolePolicy:RolePolicy": handler(rolePolicy, async ({ role: of, name, policy }) => {
            await roles.send(new sdk.PutRolePolicyCommand({ RoleName: of, PolicyName: name, PolicyDocument: policy }));
            return { id: `${of}:${name}` };
        }),
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment": handler(attachment, async ({ role: of, policyArn }) => {
            await roles.send(new sdk.AttachRolePolicyCommand({ RoleName: of, PolicyArn: policyArn }));
            return { id: `${of}/${policyArn}` };
        }),
    };
}
