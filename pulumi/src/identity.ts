import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Deployment } from "./configuration.js";

/** Who issues the JSON Web Tokens that users get connect tokens for. */
export interface Issuer {
    readonly issuer: pulumi.Input<string>;
    readonly audiences: pulumi.Input<string>[];
}

/** Users and their passwords: a user pool of Cognito and its one client. */
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
                // Whoever runs the gateway makes the users.
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
                // For pages and programs that can't keep a secret.
                generateSecret: false,
                // https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-authentication-flow-methods.html
                explicitAuthFlows: [
                    "ALLOW_USER_SRP_AUTH",
                    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
                    "ALLOW_REFRESH_TOKEN_AUTH",
                ],
                preventUserExistenceErrors: "ENABLED",
                enableTokenRevocation: true,
            },
            parent,
        );
        // https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
        this.issuer = { issuer: pulumi.interpolate`https://${this.pool.endpoint}`, audiences: [this.client.id] };
        this.registerOutputs({ userPoolId: this.pool.id, clientId: this.client.id });
    }
}
