import * as kms from "@aws-sdk/client-kms";
import * as lambda from "@aws-sdk/client-lambda";
import * as secrets from "@aws-sdk/client-secrets-manager";
import * as sqs from "@aws-sdk/client-sqs";

import type { Properties } from "../mocks/recorder.js";
import { makeClient, required, type Endpoint } from "./endpoint.js";
import { atLeast, exactly, oneOf, text } from "./read.js";

/** Functions of the AWS package that look something up, by their tokens. */
export type Functions = Readonly<Record<string, (inputs: Properties) => Promise<Properties>>>;

/** The only quota that the program asks for: concurrent executions of Lambda. */
const quota = exactly({ serviceCode: oneOf("lambda"), quotaCode: oneOf("L-B99A9384") });

/** Returns the functions that the program calls. */
export function functions(endpoint: Endpoint): Functions {
    const clients = {
        keys: makeClient(kms.KMSClient, endpoint.client),
        lambda: makeClient(lambda.LambdaClient, endpoint.client),
        queues: makeClient(sqs.SQSClient, endpoint.client),
        secrets: makeClient(secrets.SecretsManagerClient, endpoint.client),
    };
    return {
        // Emulators have no Service Quotas. Lambda itself has the same number as the account's limit.
        "aws:servicequotas/getServiceQuota:getServiceQuota": async (inputs) => {
            const asked = quota(inputs, "getServiceQuota");
            const { AccountLimit: limit } = await clients.lambda.send(new lambda.GetAccountSettingsCommand());
            return { ...asked, id: asked.quotaCode, value: required(limit?.ConcurrentExecutions, "concurrency of the account") };
        },
        "aws:secretsmanager/getSecret:getSecret": async (inputs) => {
            const { arn } = atLeast({ arn: text })(inputs, "getSecret");
            const found = await clients.secrets.send(new secrets.DescribeSecretCommand({ SecretId: arn }));
            return { id: arn, arn: found.ARN, name: found.Name, kmsKeyId: found.KmsKeyId ?? "" };
        },
        "aws:sqs/getQueues:getQueues": async (inputs) => {
            const { queueNamePrefix } = atLeast({ queueNamePrefix: text })(inputs, "getQueues");
            const { QueueUrls: found = [] } = await clients.queues.send(new sqs.ListQueuesCommand({ QueueNamePrefix: queueNamePrefix }));
            return { id: queueNamePrefix, queueNamePrefix, queueUrls: found };
        },
        "aws:sqs/getQueue:getQueue": async (inputs) => {
            const { name } = atLeast({ name: text })(inputs, "getQueue");
            const { QueueUrl: url } = await clients.queues.send(new sqs.GetQueueUrlCommand({ QueueName: name }));
            const { Tags: tags = {} } = await clients.queues.send(new sqs.ListQueueTagsCommand({ QueueUrl: required(url, "URL of the queue") }));
            return { id: url, name, url, tags };
        },
        "aws:kms/getKey:getKey": async (inputs) => {
            const { keyId } = atLeast({ keyId: text })(inputs, "getKey");
            const { KeyMetadata: found } = await clients.keys.send(new kms.DescribeKeyCommand({ KeyId: keyId }));
            return { id: keyId, keyId, arn: required(found?.Arn, "ARN of the key") };
        },
    };
}
