import * as sdk from "@aws-sdk/client-iam";

import { uniqueId } from "../../mocks/recorder.js";
import { makeClient, required, type Endpoint } from "../endpoint.js";
import { handler, tagList, tags, type Handlers } from "../handler.js";
import { exactly, optional, text } from "../read.js";

const role = exactly({ name: optional(text), namePrefix: optional(text), assumeRolePolicy: text, tags });
const rolePolicy = exactly({ role: text, name: text, policy: text });
const attachment = exactly({ role: text, policyArn: text });

/** Returns the policy in an answer of IAM, which encodes it as in a URL. */
function decoded(policy: string | undefined): string {
    return decodeURIComponent(required(policy, "policy"));
}

/** Returns the handlers of IAM. */
export function iam({ client }: Endpoint): Handlers {
    const roles = makeClient(sdk.IAMClient, client);
    const putPolicy = (inputs: ReturnType<typeof rolePolicy>): Promise<unknown> =>
        roles.send(new sdk.PutRolePolicyCommand({ RoleName: inputs.role, PolicyName: inputs.name, PolicyDocument: inputs.policy }));
    return {
        "aws:iam/role:Role": handler(role, {
            create: async ({ name, namePrefix, assumeRolePolicy, tags: own }) => {
                const RoleName = name ?? `${namePrefix ?? ""}${uniqueId(20)}`;
                const { Role: created } = await roles.send(
                    new sdk.CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: assumeRolePolicy, Tags: tagList(own) }),
                );
                return { id: RoleName, outputs: { name: RoleName, arn: required(created?.Arn, "role") } };
            },
            read: async (RoleName) => {
                const { Role: found } = await roles.send(new sdk.GetRoleCommand({ RoleName }));
                return { inputs: { name: found?.RoleName, assumeRolePolicy: decoded(found?.AssumeRolePolicyDocument) } };
            },
            update: (RoleName, { assumeRolePolicy }) =>
                roles.send(new sdk.UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument: assumeRolePolicy })),
            remove: (RoleName) => roles.send(new sdk.DeleteRoleCommand({ RoleName })),
        }),
        "aws:iam/rolePolicy:RolePolicy": handler(rolePolicy, {
            create: async (inputs) => {
                await putPolicy(inputs);
                return { id: `${inputs.role}:${inputs.name}` };
            },
            read: async (_, { role: RoleName, name: PolicyName }) => {
                const found = await roles.send(new sdk.GetRolePolicyCommand({ RoleName, PolicyName }));
                return { inputs: { role: found.RoleName, name: found.PolicyName, policy: decoded(found.PolicyDocument) } };
            },
            update: (_, inputs) => putPolicy(inputs),
            remove: (_, { role: RoleName, name: PolicyName }) => roles.send(new sdk.DeleteRolePolicyCommand({ RoleName, PolicyName })),
        }),
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment": handler(attachment, {
            create: async ({ role: RoleName, policyArn: PolicyArn }) => {
                await roles.send(new sdk.AttachRolePolicyCommand({ RoleName, PolicyArn }));
                return { id: `${RoleName}/${PolicyArn}` };
            },
            read: async (_, inputs) => {
                const { AttachedPolicies: attached = [] } = await roles.send(new sdk.ListAttachedRolePoliciesCommand({ RoleName: inputs.role }));
                return attached.some(({ PolicyArn }) => PolicyArn === inputs.policyArn) ? { inputs: { ...inputs } } : undefined;
            },
            remove: (_, { role: RoleName, policyArn: PolicyArn }) => roles.send(new sdk.DetachRolePolicyCommand({ RoleName, PolicyArn })),
        }),
    };
}
