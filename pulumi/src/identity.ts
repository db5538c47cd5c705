import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Deployment, Mfa } from "./configuration.js";

/** Issuer of the JSON Web Tokens that users exchange for connect tokens. */
export interface Issuer {
    readonly issuer: pulumi.Input<string>;
    readonly audiences: pulumi.Input<string>[];
}

/** Returns the inputs of the pool for a second factor, a time-based one-time password. */
function mfa(mfa: Mfa): Pick<aws.cognito.UserPoolArgs, "mfaConfiguration" | "softwareTokenMfaConfiguration"> {
    if (mfa === "off") {
        return {};
    }
    return { mfaConfiguration: mfa === "required" ? "ON" : "OPTIONAL", softwareTokenMfaConfiguration: { enabled: true } };
}

/** Users and their passwords: a Cognito user pool with one client. */
export class Identity extends pulumi.ComponentResource {
    readonly pool: aws.cognito.UserPool;
    readonly client: aws.cognito.UserPoolClient;
    readonly issuer: Issuer;

    constructor(name: string, { prefix, settings }: Deployment, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:Identity", name, {}, opts);
        const parent = { parent: this };
        this.pool = new aws.cognito.UserPool(
            name,
            {
                name: `${prefix}-users`,
                // The cheapest, and enough for passwords and one-time passwords
                // (https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-sign-in-feature-plans.html).
                userPoolTier: "LITE",
                // Operators create the users.
                adminCreateUserConfig: { allowAdminCreateUserOnly: true },
                // https://docs.aws.amazon.com/cognito/latest/developerguide/managing-users-passwords.html
                passwordPolicy: {
                    minimumLength: 12,
                    requireLowercase: true,
                    requireUppercase: true,
                    requireNumbers: true,
                    requireSymbols: false,
                    temporaryPasswordValidityDays: 7,
                },
                ...mfa(settings.mfa),
                accountRecoverySetting: { recoveryMechanisms: [{ name: "admin_only", priority: 1 }] },
                deletionProtection: settings.production ? "ACTIVE" : "INACTIVE",
            },
            { ...parent, protect: settings.production },
        );
        this.client = new aws.cognito.UserPoolClient(
            name,
            {
                name: `${prefix}-clients`,
                userPoolId: this.pool.id,
                // Web pages and client programs can't keep a secret.
                generateSecret: false,
                // https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-authentication-flow-methods.html
                explicitAuthFlows: [
                    "ALLOW_USER_SRP_AUTH",
                    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
                    "ALLOW_REFRESH_TOKEN_AUTH",
                ],
                preventUserExistenceErrors: "ENABLED",
                enableTokenRevocation: true,
                // Without a list, users may write every attribute, among them the name that others see.
                writeAttributes: ["locale"],
            },
            parent,
        );
        // https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
        this.issuer = { issuer: pulumi.interpolate`https://${this.pool.endpoint}`, audiences: [this.client.id] };
        this.registerOutputs({ userPoolId: this.pool.id, clientId: this.client.id });
    }
}
