import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Deployment } from "./configuration.js";
import type { Issuer } from "./identity.js";
import type { Target } from "./policies.js";
import { ServiceFunction } from "./service-function.js";
import type { Storage } from "./storage.js";

// The least and the most that KMS waits before it deletes a key, in days
// (https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html).
const DELETION_DAYS = { least: 7, most: 30 };

/** What issuing and deciding asks. */
export interface AuthTokenArgs {
    readonly storage: Storage;
    /** Who issues the users' JSON Web Tokens. */
    readonly users: Issuer;
}

/** Issues connect tokens and decides handshakes; the key of the tokens, and secrets shared with clients. */
export class AuthToken extends pulumi.ComponentResource {
    readonly issuer: ServiceFunction;
    readonly authorizer: ServiceFunction;
    private readonly made: Record<string, pulumi.Output<string>> = {};

    constructor(name: string, deployment: Deployment, { storage, users }: AuthTokenArgs, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:AuthToken", name, {}, opts);
        const { production } = deployment.settings;
        const parent = { parent: this };
        // With the policy that KMS gives a key of its own account: who may use it is said by roles
        // (https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html).
        const key = new aws.kms.Key(
            "tokens",
            {
                description: `Encrypts the connect tokens of ${deployment.prefix}`,
                enableKeyRotation: true,
                deletionWindowInDays: production ? DELETION_DAYS.most : DELETION_DAYS.least,
            },
            { ...parent, protect: production },
        );
        new aws.kms.Alias("tokens", { name: `alias/${deployment.prefix}-tokens`, targetKeyId: key.keyId }, parent);
        const tokenKey: Target = { value: key.arn, arn: key.arn };
        const targets = { tokensTable: storage.target("tokens"), tokenKey };
        this.issuer = new ServiceFunction("auth-token-issuer", deployment, targets, parent);
        const { handshake } = deployment.settings;
        const has = (method: string): boolean => handshake.methods.includes(method);
        const issuers = has("jwt") ? (handshake.issuers ?? issuerList(users)) : "[]";
        const shared = {
            ...(has("hmac") ? { hmacSecret: this.secret("hmac", deployment, handshake.hmacSecretArn) } : {}),
            ...(has("jwt") && sharesSecret(handshake.issuers) ? { jwtSecret: this.secret("jwt", deployment, handshake.jwtSecretArn) } : {}),
        };
        const variables = new Map<string, pulumi.Input<string>>([
            ["TIDINGS_AUTH_METHODS", handshake.methods.join(",")],
            ["TIDINGS_ALLOWED_ORIGINS", deployment.settings.allowedOrigins.join(",")],
            ["TIDINGS_JWT_ISSUERS", issuers],
        ]);
        this.authorizer = new ServiceFunction("auth-token-authorizer", deployment, { ...targets, ...shared }, parent, variables);
        this.registerOutputs({ keyArn: key.arn });
    }

    /** The ARNs of the secrets that this stack made, which have no value until somebody gives them one. */
    get secretArns(): Readonly<Record<string, pulumi.Output<string>>> {
        return this.made;
    }

    /** The secret with this ARN, or a new one, which is rotated by giving it another value. */
    private secret(name: string, deployment: Deployment, arn: string | undefined): Target {
        if (arn !== undefined) {
            return { value: arn, arn };
        }
        const { production } = deployment.settings;
        const secret = new aws.secretsmanager.Secret(
            name,
            {
                name: `${deployment.prefix}-${name}`,
                description: `Shared with who connects to ${deployment.prefix} (${name})`,
                recoveryWindowInDays: production ? DELETION_DAYS.most : DELETION_DAYS.least,
            },
            { parent: this, protect: production },
        );
        this.made[`${name}SecretArn`] = secret.arn;
        return { value: secret.arn, arn: secret.arn };
    }
}

/** The one issuer of the users, as the authorizer reads it. HTTP APIs take tokens with RSA alone, so these have it. */
function issuerList(users: Issuer): pulumi.Output<string> {
    return pulumi.jsonStringify([{ issuer: users.issuer, algorithm: "RS256", audiences: users.audiences }]);
}

/** Whether some issuer signs with a secret that is shared with it, and names none of its own. */
function sharesSecret(issuers: string | undefined): boolean {
    const list = JSON.parse(issuers ?? "[]") as readonly { readonly algorithm?: unknown; readonly secret?: unknown }[];
    return list.some((issuer) => issuer.algorithm === "HS256" && issuer.secret === undefined);
}
