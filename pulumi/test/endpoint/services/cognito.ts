import * as sdk from "@aws-sdk/client-cognito-identity-provider";

import { required, type Endpoint } from "../endpoint.js";
import { handler, tags, type Handlers } from "../handler.js";
import { exactly, flag, list, number, oneOf, optional, text } from "../read.js";

const userPool = exactly({
    name: text,
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
const userPoolClient = exactly({
    name: text,
    userPoolId: text,
    generateSecret: flag,
    explicitAuthFlows: list(oneOf("ALLOW_USER_SRP_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH")),
    preventUserExistenceErrors: oneOf("ENABLED"),
    enableTokenRevocation: flag,
    writeAttributes: list(text),
});

/** Returns the handlers of Cognito. */
export function cognito({ client }: Endpoint): Handlers {
    const pools = new sdk.CognitoIdentityProviderClient(client);
    return {
        "aws:cognito/userPool:UserPool": handler(userPool, async (inputs) => {
            const policy = inputs.passwordPolicy;
            const { UserPool: created } = await pools.send(
                new sdk.CreateUserPoolCommand({
                    PoolName: inputs.name,
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
                        RecoveryMechanisms: inputs.accountRecoverySetting.recoveryMechanisms.map(({ name, priority }) => ({
                            Name: name,
                            Priority: priority,
                        })),
                    },
                    DeletionProtection: inputs.deletionProtection,
                    UserPoolTags: inputs.tags,
                }),
            );
            const id = required(created?.Id, "user pool");
            if (inputs.mfaConfiguration !== undefined) {
                await pools.send(
                    new sdk.SetUserPoolMfaConfigCommand({
                        UserPoolId: id,
                        MfaConfiguration: inputs.mfaConfiguration,
                        SoftwareTokenMfaConfiguration: { Enabled: inputs.softwareTokenMfaConfiguration?.enabled },
                    }),
                );
            }
            // Tokens of the pool have an issuer as on AWS, not one with the endpoint's address.
            return { id, outputs: { endpoint: `cognito-idp.${client.region}.amazonaws.com/${id}` } };
        }),
        "aws:cognito/userPoolClient:UserPoolClient": handler(userPoolClient, async (inputs) => {
            const { UserPoolClient: created } = await pools.send(
                new sdk.CreateUserPoolClientCommand({
                    ClientName: inputs.name,
                    UserPoolId: inputs.userPoolId,
                    GenerateSecret: inputs.generateSecret,
                    ExplicitAuthFlows: inputs.explicitAuthFlows,
                    PreventUserExistenceErrors: inputs.preventUserExistenceErrors,
                    EnableTokenRevocation: inputs.enableTokenRevocation,
                    WriteAttributes: inputs.writeAttributes,
                }),
            );
            return { id: required(created?.ClientId, "client of the user pool") };
        }),
    };
}
