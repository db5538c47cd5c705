import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Deployment, Place, PlacedDeployment } from "./configuration.js";
import { policyDocument } from "./policies.js";

// Longest waiting period before KMS deletes a key, in days: logs can't be read without it
// (https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html).
const DELETION_DAYS = 30;

/** The key that encrypts logs and the topic of alarms in production. */
export class OperationsKey extends pulumi.ComponentResource {
    readonly arn: pulumi.Output<string>;

    constructor(name: string, { prefix }: Deployment, place: Place, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:OperationsKey", name, {}, opts);
        const parent = { parent: this };
        const { partition, region, account } = place;
        const arns = (service: string, resource: string): pulumi.Output<string> =>
            pulumi.interpolate`arn:${partition}:${service}:${region}:${account}:${resource}`;
        const key = new aws.kms.Key(
            name,
            {
                description: `Encrypts logs and alarms of ${prefix}`,
                enableKeyRotation: true,
                deletionWindowInDays: DELETION_DAYS,
                policy: policyDocument([
                    // Lets IAM policies of this account decide
                    // (https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html).
                    { Effect: "Allow", Principal: { AWS: pulumi.interpolate`arn:${partition}:iam::${account}:root` }, Action: "kms:*", Resource: "*" },
                    // https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
                    {
                        Effect: "Allow",
                        Principal: { Service: pulumi.interpolate`logs.${region}.amazonaws.com` },
                        Action: ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                        Resource: "*",
                        Condition: { ArnLike: { "kms:EncryptionContext:aws:logs:arn": arns("logs", "log-group:*") } },
                    },
                    // https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
                    {
                        Effect: "Allow",
                        Principal: { Service: "cloudwatch.amazonaws.com" },
                        Action: ["kms:Decrypt", "kms:GenerateDataKey*"],
                        Resource: "*",
                        Condition: { ArnLike: { "aws:SourceArn": arns("cloudwatch", `alarm:${prefix}-*`) } },
                    },
                ]),
            },
            { ...parent, protect: true },
        );
        new aws.kms.Alias(name, { name: `alias/${prefix}-${name}`, targetKeyId: key.keyId }, parent);
        this.arn = key.arn;
        this.registerOutputs({ arn: key.arn });
    }
}

/** Returns the input of a log group for its key. */
export function logKey({ operationsKeyArn }: PlacedDeployment): { readonly kmsKeyId?: pulumi.Input<string> } {
    return operationsKeyArn === undefined ? {} : { kmsKeyId: operationsKeyArn };
}
