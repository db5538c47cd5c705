import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Deployment } from "./configuration.js";
import type { Target } from "./policies.js";
import { ServiceFunction } from "./service-function.js";
import type { Storage } from "./storage.js";

// The least and the most that KMS waits before it deletes a key, in days
// (https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html).
const DELETION_DAYS = { least: 7, most: 30 };

/** Issues connect tokens and decides handshakes; the key of the tokens. */
export class AuthToken extends pulumi.ComponentResource {
    readonly issuer: ServiceFunction;
    readonly authorizer: ServiceFunction;

    constructor(name: string, deployment: Deployment, storage: Storage, opts: pulumi.ComponentResourceOptions) {
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
        this.authorizer = new ServiceFunction("auth-token-authorizer", deployment, targets, parent);
        this.registerOutputs({ keyArn: key.arn });
    }
}
