import * as restApis from "@aws-sdk/client-api-gateway";
import * as apis from "@aws-sdk/client-apigatewayv2";
import * as metrics from "@aws-sdk/client-cloudwatch";
import * as logs from "@aws-sdk/client-cloudwatch-logs";
import * as dynamodb from "@aws-sdk/client-dynamodb";
import * as events from "@aws-sdk/client-eventbridge";
import * as iam from "@aws-sdk/client-iam";
import * as kms from "@aws-sdk/client-kms";
import * as lambda from "@aws-sdk/client-lambda";
import * as secrets from "@aws-sdk/client-secrets-manager";
import * as sns from "@aws-sdk/client-sns";
import * as sqs from "@aws-sdk/client-sqs";

import { makeClient, type ClientConfiguration } from "../endpoint/endpoint.js";
import { isGone } from "../endpoint/handler.js";

/** Somebody who uses the endpoint without Pulumi. */
export class Outside {
    private readonly alarms: metrics.CloudWatchClient;
    private readonly functions: lambda.LambdaClient;
    private readonly queues: sqs.SQSClient;
    private readonly roles: iam.IAMClient;
    private readonly tables: dynamodb.DynamoDBClient;

    constructor(private readonly client: ClientConfiguration) {
        this.alarms = makeClient(metrics.CloudWatchClient, client);
        this.functions = makeClient(lambda.LambdaClient, client);
        this.queues = makeClient(sqs.SQSClient, client);
        this.roles = makeClient(iam.IAMClient, client);
        this.tables = makeClient(dynamodb.DynamoDBClient, client);
    }

    async setVisibility(queueUrl: string, seconds: number): Promise<void> {
        await this.queues.send(new sqs.SetQueueAttributesCommand({ QueueUrl: queueUrl, Attributes: { VisibilityTimeout: String(seconds) } }));
    }

    /** Returns the number of messages of a queue, also of those in flight. */
    async messages(queueUrl: string): Promise<number> {
        const names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] as const;
        const { Attributes: found = {} } = await this.queues.send(new sqs.GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: [...names] }));
        return names.reduce((sum, name) => sum + Number(found[name] ?? "0"), 0);
    }

    async visibility(queueUrl: string): Promise<number> {
        const { Attributes: found = {} } = await this.queues.send(new sqs.GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["VisibilityTimeout"] }));
        return Number(found.VisibilityTimeout);
    }

    async setMemory(functionName: string, megabytes: number): Promise<void> {
        await this.functions.send(new lambda.UpdateFunctionConfigurationCommand({ FunctionName: functionName, MemorySize: megabytes }));
    }

    async deleteAlarm(name: string): Promise<void> {
        await this.alarms.send(new metrics.DeleteAlarmsCommand({ AlarmNames: [name] }));
    }

    async createRole(name: string): Promise<void> {
        await this.roles.send(new iam.CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument: '{"Version": "2012-10-17", "Statement": []}' }));
    }

    async deleteRole(name: string): Promise<void> {
        await this.roles.send(new iam.DeleteRoleCommand({ RoleName: name }));
    }

    /** Returns the ARN of the role with which API Gateway writes the logs of the account. */
    async logsRole(): Promise<string | undefined> {
        return (await makeClient(restApis.APIGatewayClient, this.client).send(new restApis.GetAccountCommand())).cloudwatchRoleArn;
    }

    async hasTable(name: string): Promise<boolean> {
        const { TableNames: names = [] } = await this.tables.send(new dynamodb.ListTablesCommand());
        return names.includes(name);
    }

    async codeOf(functionName: string): Promise<string | undefined> {
        const { Configuration: found } = await this.functions.send(new lambda.GetFunctionCommand({ FunctionName: functionName }));
        return found?.CodeSha256;
    }

    /** Returns the dashboard of this name, if there is one. The emulator's list of dashboards has dates that the SDK can't read. */
    private async dashboards(name: string): Promise<readonly string[]> {
        try {
            await this.alarms.send(new metrics.GetDashboardCommand({ DashboardName: name }));
            return [name];
        } catch (error) {
            if (isGone(error)) {
                return [];
            }
            throw error;
        }
    }

    /**
     * Returns the names of everything on the endpoint whose name contains `text`, each with its kind. A dashboard must have
     * exactly this name.
     */
    async named(text: string): Promise<readonly string[]> {
        const { client } = this;
        const lists: Readonly<Record<string, Promise<readonly (string | undefined)[]>>> = {
            alarm: this.alarms.send(new metrics.DescribeAlarmsCommand()).then(({ MetricAlarms: all = [] }) => all.map(({ AlarmName }) => AlarmName)),
            api: makeClient(apis.ApiGatewayV2Client, client).send(new apis.GetApisCommand()).then(({ Items: all = [] }) => all.map(({ Name }) => Name)),
            dashboard: this.dashboards(text),
            function: this.functions.send(new lambda.ListFunctionsCommand()).then(({ Functions: all = [] }) => all.map(({ FunctionName }) => FunctionName)),
            key: makeClient(kms.KMSClient, client).send(new kms.ListAliasesCommand()).then(({ Aliases: all = [] }) => all.map(({ AliasName }) => AliasName)),
            "log group": makeClient(logs.CloudWatchLogsClient, client).send(new logs.DescribeLogGroupsCommand()).then(({ logGroups: all = [] }) => all.map(({ logGroupName }) => logGroupName)),
            queue: this.queues.send(new sqs.ListQueuesCommand()).then(({ QueueUrls: all = [] }) => all),
            "REST API": makeClient(restApis.APIGatewayClient, client).send(new restApis.GetRestApisCommand()).then(({ items: all = [] }) => all.map(({ name }) => name)),
            role: this.roles.send(new iam.ListRolesCommand()).then(({ Roles: all = [] }) => all.map(({ RoleName }) => RoleName)),
            rule: makeClient(events.EventBridgeClient, client).send(new events.ListRulesCommand()).then(({ Rules: all = [] }) => all.map(({ Name }) => Name)),
            secret: makeClient(secrets.SecretsManagerClient, client).send(new secrets.ListSecretsCommand()).then(({ SecretList: all = [] }) => all.map(({ Name }) => Name)),
            table: this.tables.send(new dynamodb.ListTablesCommand()).then(({ TableNames: all = [] }) => all),
            topic: makeClient(sns.SNSClient, client).send(new sns.ListTopicsCommand()).then(({ Topics: all = [] }) => all.map(({ TopicArn }) => TopicArn)),
        };
        const found = await Promise.all(
            Object.entries(lists).map(async ([kind, names]) => (await names).filter((name) => name?.includes(text) === true).map((name) => `${kind} ${String(name)}`)),
        );
        return found.flat().sort();
    }
}
