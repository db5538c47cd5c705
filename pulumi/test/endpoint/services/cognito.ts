import * as sdk from "@aws-sdk/client-cognito-identity-provider";

import { makeClient, required, type Endpoint } from "../endpoint.js";
import { handler, same, tags, type Handlers } from "../handler.js";
import { exactly, flag, list, number, oneOf, optional, text } from "../read.js";

const userPool = exactly({
    name: text,
    userPoolTier: oneOf("LITE"),
    adminCreateUserConfig: exactly({ allowAdminCreateUserOnly: flag }),
    passwordPolicy: exactly({
        minimumLength: number,
        requireLowercase: flag,
        requireUppercase: flag,
        requireNumbers: flag,
        requireSymbols: flag,
        temporaryPasswordValidityDays: number,
    }),
    accountRecoverySetting: exactly({
        recoveryMechanisms: list(exactly({ name: oneOf("admin_only"), priority: number })),
    }),
    deletionProtection: oneOf("ACTIVE", "INACTIVE"),
    mfaConfiguration: optional(oneOf("ON", "OPTIONAL")),
    softwareTokenMfaConfiguration: optional(exactly({ enabled: flag })),
    tags,
});
type UserPool = ReturnType<typeof userPool>;
const userPoolClient = exactly({
    name: text,
    userPoolId: text,
    generateSecret: flag,
    explicitAuthFlows: list(oneOf("ALLOW_USER_SRP_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH")),
    preventUserExistenceErrors: oneOf("ENABLED"),
    enableTokenRevocation: flag,
    writeAttributes: list(text),
});
type UserPoolClient = ReturnType<typeof userPoolClient>;

/** Returns the settings of a pool that can be changed. A change must give all of them, or Cognito resets the others. */
function poolSettings(inputs: UserPool): Omit<sdk.UpdateUserPoolCommandInput, "UserPoolId"> {
    const policy = inputs.passwordPolicy;
    return {
        UserPoolTier: inputs.userPoolTier,
        AdminCreateUserConfig: { AllowAdminCreateUserOnly: inputs.adminCreateUserConfig.allowAdminCreateUserOnly },
        Policies: {
            PasswordPolicy: {
                MinimumLength: policy.minimumLength,
                RequireLowercase: policy.requireLowercase,
                RequireUppercase: policy.requireUppercase,
                RequireNumbers: policy.requireNumbers,
                RequireSymbols: policy.requireSymbols,
                TemporaryPasswordValidityDays: policy.temporaryPasswordValidityDays,
            },
        },
        AccountRecoverySetting: {
            RecoveryMechanisms: inputs.accountRecoverySetting.recoveryMechanisms.map(({ name, priority }) => ({ Name: name, Priority: priority })),
        },
        DeletionProtection: inputs.deletionProtection,
        UserPoolTags: inputs.tags,
    };
}

/** Returns the inputs for the settings of a pool. */
function poolInputs(found: sdk.UserPoolType): Record<string, unknown> {
    const policy = found.Policies?.PasswordPolicy;
    const recovery = found.AccountRecoverySetting?.RecoveryMechanisms ?? [];
    return {
        name: found.Name,
        userPoolTier: found.UserPoolTier,
        adminCreateUserConfig: { allowAdminCreateUserOnly: found.AdminCreateUserConfig?.AllowAdminCreateUserOnly },
        passwordPolicy: {
            minimumLength: policy?.MinimumLength,
            requireLowercase: policy?.RequireLowercase,
            requireUppercase: policy?.RequireUppercase,
            requireNumbers: policy?.RequireNumbers,
            requireSymbols: policy?.RequireSymbols,
            temporaryPasswordValidityDays: policy?.TemporaryPasswordValidityDays,
        },
        accountRecoverySetting: { recoveryMechanisms: recovery.map(({ Name, Priority }) => ({ name: Name, priority: Priority })) },
        deletionProtection: found.DeletionProtection ?? "INACTIVE",
    };
}

function clientSettings(inputs: UserPoolClient): Omit<sdk.UpdateUserPoolClientCommandInput, "ClientId"> {
    return {
        ClientName: inputs.name,
        UserPoolId: inputs.userPoolId,
        ExplicitAuthFlows: inputs.explicitAuthFlows,
        PreventUserExistenceErrors: inputs.preventUserExistenceErrors,
        EnableTokenRevocation: inputs.enableTokenRevocation,
        WriteAttributes: inputs.writeAttributes,
    };
}

/** Returns the handlers of Cognito. */
export function cognito({ client }: Endpoint): Handlers {
    const pools = makeClient(sdk.CognitoIdentityProviderClient, client);
    const setMfa = (UserPoolId: string, inputs: UserPool): Promise<unknown> => {
        const { mfaConfiguration: MfaConfiguration = "OFF", softwareTokenMfaConfiguration: token } = inputs;
        const factor = token === undefined ? {} : { SoftwareTokenMfaConfiguration: { Enabled: token.enabled } };
        return pools.send(new sdk.SetUserPoolMfaConfigCommand({ UserPoolId, MfaConfiguration, ...factor }));
    };
    return {
        "aws:cognito/userPool:UserPool": handler(userPool, {
            create: async (inputs) => {
                const { UserPool: created } = await pools.send(new sdk.CreateUserPoolCommand({ PoolName: inputs.name, ...poolSettings(inputs) }));
                const id = required(created?.Id, "user pool");
                if (inputs.mfaConfiguration !== undefined) {
                    await setMfa(id, inputs);
                }
                // Tokens of the pool have an issuer as on AWS, not one with the endpoint's address.
                return { id, outputs: { endpoint: `cognito-idp.${client.region}.amazonaws.com/${id}` } };
            },
            read: async (UserPoolId) => {
                const { UserPool: found } = await pools.send(new sdk.DescribeUserPoolCommand({ UserPoolId }));
                const mfa = await pools.send(new sdk.GetUserPoolMfaConfigCommand({ UserPoolId }));
                const isOn = mfa.MfaConfiguration !== undefined && mfa.MfaConfiguration !== "OFF";
                const enabled = mfa.SoftwareTokenMfaConfiguration?.Enabled;
                return {
                    inputs: {
                        ...poolInputs(required(found, "user pool")),
                        mfaConfiguration: isOn ? mfa.MfaConfiguration : undefined,
                        softwareTokenMfaConfiguration: isOn && enabled === true ? { enabled } : undefined,
                    },
                };
            },
            update: async (UserPoolId, inputs, before) => {
                await pools.send(new sdk.UpdateUserPoolCommand({ UserPoolId, ...poolSettings(inputs) }));
                const mfa = ({ mfaConfiguration, softwareTokenMfaConfiguration }: UserPool): unknown[] => [mfaConfiguration, softwareTokenMfaConfiguration];
                if (inputs.mfaConfiguration !== undefined || !same(mfa(inputs), mfa(before))) {
                    await setMfa(UserPoolId, inputs);
                }
            },
            remove: (UserPoolId) => pools.send(new sdk.DeleteUserPoolCommand({ UserPoolId })),
        }),
        "aws:cognito/userPoolClient:UserPoolClient": handler(userPoolClient, {
            create: async (inputs) => {
                const create = new sdk.CreateUserPoolClientCommand({ ...clientSettings(inputs), ClientName: inputs.name, GenerateSecret: inputs.generateSecret });
                const { UserPoolClient: created } = await pools.send(create);
                return { id: required(created?.ClientId, "client of the user pool") };
            },
            read: async (ClientId, { userPoolId: UserPoolId, generateSecret }) => {
                const { UserPoolClient: found } = await pools.send(new sdk.DescribeUserPoolClientCommand({ ClientId, UserPoolId }));
                return {
                    inputs: {
                        name: found?.ClientName,
                        userPoolId: found?.UserPoolId,
                        generateSecret,
                        explicitAuthFlows: found?.ExplicitAuthFlows,
                        preventUserExistenceErrors: found?.PreventUserExistenceErrors,
                        enableTokenRevocation: found?.EnableTokenRevocation,
                        writeAttributes: found?.WriteAttributes,
                    },
                };
            },
            update: (ClientId, inputs) => pools.send(new sdk.UpdateUserPoolClientCommand({ ClientId, ...clientSettings(inputs) })),
            remove: (ClientId, { userPoolId: UserPoolId }) => pools.send(new sdk.DeleteUserPoolClientCommand({ ClientId, UserPoolId })),
        }),
    };
}
