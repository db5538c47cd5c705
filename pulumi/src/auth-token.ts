import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { PlacedDeployment } from "./configuration.js";
import type { Issuer } from "./identity.js";
import type { ResourceRef } from "./policies.js";
import { ServiceFunction } from "./service-function.js";
import type { Storage } from "./storage.js";

// Shortest and longest waiting period before KMS deletes a key, in days
// (https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html).
const DELETION_DAYS = { shortest: 7, longest: 30 };

// Deletes a secret at once, so that a stack of the same name can be made again
// (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html).
const WITHOUT_RECOVERY = 0;

/** Components that the service depends on. */
export interface AuthTokenArgs {
    readonly storage: Storage;
    /** Issuer of the users' JSON Web Tokens. */
    readonly users: Issuer;
}

/**
 * The service `auth-token`: a function that issues connect tokens, an authorizer that decides handshakes, the KMS key
 * that encrypts connect tokens, and the secrets shared with clients.
 */
export class AuthToken extends pulumi.ComponentResource {
    readonly issuer: ServiceFunction;
    readonly authorizer: ServiceFunction;
    private readonly createdSecretArns: Record<string, pulumi.Output<string>> = {};

    constructor(name: string, deployment: PlacedDeployment, { storage, users }: AuthTokenArgs, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:AuthToken", name, {}, opts);
        const { production } = deployment.settings;
        const parent = { parent: this };
        // The default key policy lets IAM policies of this account decide who may use the key
        // (https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html).
        const key = new aws.kms.Key(
            "tokens",
            {
                description: `Encrypts the connect tokens of ${deployment.prefix}`,
                enableKeyRotation: true,
                deletionWindowInDays: production ? DELETION_DAYS.longest : DELETION_DAYS.shortest,
            },
            { ...parent, protect: production },
        );
        new aws.kms.Alias("tokens", { name: `alias/${deployment.prefix}-tokens`, targetKeyId: key.keyId }, parent);
        const tokenKey: ResourceRef = { value: key.arn, arn: key.arn };
        const targets = { tokensTable: storage.ref("tokens"), tokenKey };
        const { handshake } = deployment.settings;
        // The users of connect tokens are those of handshakes with their ID tokens.
        const prefix = pulumi.output(users.issuer).apply((issuer) => handshake.userPrefixes.get(issuer) ?? "");
        this.issuer = new ServiceFunction("auth-token-issuer", deployment, targets, parent, { variables: new Map([["TIDINGS_USER_PREFIX", prefix]]) });
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
        this.authorizer = new ServiceFunction("auth-token-authorizer", deployment, { ...targets, ...shared }, parent, { variables });
        this.registerOutputs({ keyArn: key.arn });
    }

    /** ARNs of the secrets that this stack created. They have no value until an operator sets one. */
    get secretArns(): Readonly<Record<string, pulumi.Output<string>>> {
        return this.createdSecretArns;
    }

    /** Returns the secret with this ARN, or creates one. Setting another value rotates the secret. */
    private secret(name: string, deployment: PlacedDeployment, arn: string | undefined): ResourceRef {
        if (arn !== undefined) {
            const keyArn = deployment.account.secretKeys.get(arn);
            return { value: arn, arn, ...(keyArn === undefined ? {} : { secretKeyArn: keyArn }) };
        }
        const { production } = deployment.settings;
        const secret = new aws.secretsmanager.Secret(
            name,
            {
                name: `${deployment.prefix}-${name}`,
                description: `Shared with who connects to ${deployment.prefix} (${name})`,
                recoveryWindowInDays: production ? DELETION_DAYS.longest : WITHOUT_RECOVERY,
            },
            { parent: this, protect: production },
        );
        this.createdSecretArns[`${name}SecretArn`] = secret.arn;
        return { value: secret.arn, arn: secret.arn };
    }
}

/**
 * Returns the users' issuer in the form of TIDINGS_JWT_ISSUERS. The algorithm is RS256, because the JWT authorizer of
 * an HTTP API accepts RSA signatures only.
 */
function issuerList(users: Issuer): pulumi.Output<string> {
    return pulumi.jsonStringify([{ issuer: users.issuer, algorithm: "RS256", audiences: users.audiences }]);
}

/** Returns true if an issuer signs with HS256 and names no secret of its own. */
function sharesSecret(issuers: string | undefined): boolean {
    const list = JSON.parse(issuers ?? "[]") as readonly { readonly algorithm?: unknown; readonly secret?: unknown }[];
    return list.some((issuer) => issuer.algorithm === "HS256" && issuer.secret === undefined);
}
