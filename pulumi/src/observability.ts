import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { PlacedDeployment } from "./configuration.js";
import { dashboardBody, type Watched, type WatchedFunction } from "./dashboard.js";
import type { QueuePair } from "./queue.js";
import { STAGE } from "./websocket-api.js";

/** A metric of AWS. */
interface Metric {
    readonly namespace: "AWS/SQS" | "AWS/Lambda" | "AWS/ApiGateway";
    readonly metricName: string;
    readonly dimensions: Readonly<Record<string, pulumi.Input<string>>>;
}

/**
 * An alarm on a metric. It goes off when the statistic exceeded the threshold in each of the last `minutes` minutes. A
 * minute without data counts as within the threshold.
 */
interface Alarm extends Metric {
    readonly name: string;
    readonly description: string;
    readonly statistic: "Maximum" | "Sum";
    readonly threshold: number;
    readonly minutes: number;
}

/**
 * An alarm on the share of failures, in percent, for failures that no metric of their own counts. It goes off when the
 * share exceeded the threshold in two of the last three periods of five minutes. A period without data counts as within
 * the threshold.
 */
interface ShareAlarm {
    readonly name: string;
    readonly description: string;
    /** Metrics by the names that the expression gives them. Each is a sum over the period. */
    readonly metrics: Readonly<Record<string, Metric>>;
    /** The share (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html). */
    readonly expression: string;
    readonly threshold: number;
}

/** Period of a {@link ShareAlarm}, the longest delay of the dispatcher between two attempts, in seconds. */
const SHARE_PERIOD_SECONDS = 300;

/** Number of events in a period below which a share says nothing: one client that is refused is not an outage. */
const FEWEST_EVENTS = 5;

/**
 * Visible messages of one of several queues: half of those that a FIFO queue looks at
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/avoid-backlog-with-the-same-message-group-id.html).
 */
const BACKLOG = 60_000;

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
function queueAlarms({ settings }: PlacedDeployment, { queues }: Watched): readonly Alarm[] {
    const visible = { namespace: "AWS/SQS", metricName: "ApproximateNumberOfMessagesVisible", statistic: "Maximum", threshold: 0, minutes: 1 } as const;
    const ofPair = ({ suffix, notifications, deadLetters }: QueuePair): readonly Alarm[] => [
        {
            name: `oldest-message${suffix}`,
            // It does not see failing deliveries: the metric leaves out messages that were received three times.
            description: "Notifications wait too long: the dispatcher is throttled or overloaded.",
            namespace: "AWS/SQS",
            metricName: "ApproximateAgeOfOldestMessage",
            dimensions: { QueueName: notifications.name },
            statistic: "Maximum",
            threshold: settings.oldestMessageAlarmSeconds,
            minutes: 3,
        },
        {
            ...visible,
            name: `dead-letters${suffix}`,
            description: "Notifications could not be delivered. An attribute of each dead letter has the reason. Redrive them after fixing it.",
            dimensions: { QueueName: deadLetters.name },
        },
    ];
    const backlog = ({ suffix, notifications }: QueuePair): Alarm => ({
        ...visible,
        name: `backlog${suffix}`,
        description: "A queue fills up. Behind 120,000 messages, those of other users are not seen: look for a producer that sends to one user in a loop.",
        dimensions: { QueueName: notifications.name },
        threshold: BACKLOG,
    });
    return [
        ...queues.pairs.flatMap(ofPair),
        ...(queues.pairs.length === 1 ? [] : queues.pairs.map(backlog)),
        {
            ...visible,
            name: "replay-failures",
            description: "The replayer gave up on stream records. Their users get held notifications at the next connect.",
            dimensions: { QueueName: queues.replayFailures.name },
        },
    ];
}

/**
 * Returns the alarms on deliveries that fail. The dispatcher reports failed entries to the event source and its
 * invocations succeed, so Lambda counts no error. Lambda deletes what was delivered, and nothing else
 * (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
 */
function deliveryAlarms({ queues }: Watched): readonly ShareAlarm[] {
    return queues.pairs.map(({ suffix, notifications }): ShareAlarm => {
        const dimensions = { QueueName: notifications.name };
        return {
            name: `failed-deliveries${suffix}`,
            description: "Most notifications that the dispatcher receives are not delivered and come back. Its log has the reason.",
            metrics: {
                received: { namespace: "AWS/SQS", metricName: "NumberOfMessagesReceived", dimensions },
                deleted: { namespace: "AWS/SQS", metricName: "NumberOfMessagesDeleted", dimensions },
            },
            expression: "IF(received > 0, 100 * (received - FILL(deleted, 0)) / received, 0)",
            threshold: 50,
        };
    });
}

/** Returns the alarms on answers of the APIs that are errors of the server. */
function apiAlarms({ apis }: Watched): readonly Alarm[] {
    const errors = (name: string, metricName: string, dimensions: Alarm["dimensions"], description: string): Alarm => {
        return { name, description, namespace: "AWS/ApiGateway", metricName, dimensions, statistic: "Sum", threshold: 0, minutes: 3 };
    };
    return [
        // https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html
        errors("clients-errors", "ExecutionError", { ApiId: apis.clientsId }, "API Gateway can't invoke the function behind the WebSocket API."),
        // https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
        errors("tokens-errors", "5xx", { ApiId: apis.tokensId }, "Clients get no connect tokens. The log of auth-token-issuer has the reason."),
        // https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
        errors(
            "producers-errors",
            "5XXError",
            { ApiName: apis.producersName, Stage: STAGE },
            "The producer API refuses notifications: its role can't send to the queue, or SQS throttles or does not answer.",
        ),
    ];
}

/**
 * Returns the alarms on handshakes that fail. The edge answers 500 and its invocation succeeds; API Gateway counts that
 * together with handshakes that are refused for their client, such as one at its limit of connections. The authorizer
 * fails in order to refuse a request. So both count when most handshakes fail, and not for a single client
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html,
 * https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html).
 */
function handshakeAlarms({ apis, functions }: Watched): readonly ShareAlarm[] {
    const share = (failed: string, all: string): string => `IF(${all} >= ${FEWEST_EVENTS}, 100 * FILL(${failed}, 0) / ${all}, 0)`;
    const ofApi = (metricName: string): Metric => ({ namespace: "AWS/ApiGateway", metricName, dimensions: { ApiId: apis.clientsId } });
    const authorizers = functions.filter(({ failsOnPurpose }) => failsOnPurpose);
    return [
        {
            name: "refused-handshakes",
            description: "Most handshakes and frames of clients are answered with errors. The log of ws-edge has the reason.",
            metrics: { failed: ofApi("IntegrationError"), connects: ofApi("ConnectCount") },
            expression: share("failed", "connects"),
            threshold: 50,
        },
        ...authorizers.map(({ name, functionName }): ShareAlarm => {
            const ofFunction = (metricName: string): Metric => ({ namespace: "AWS/Lambda", metricName, dimensions: { FunctionName: functionName } });
            return {
                name: `${name}-errors`,
                description: `Nearly every handshake is refused by ${name}: it fails, or its log says which credentials are wrong.`,
                metrics: { failed: ofFunction("Errors"), invocations: ofFunction("Invocations") },
                expression: share("failed", "invocations"),
                threshold: 90,
            };
        }),
    ];
}

// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
function functionAlarms({ settings }: PlacedDeployment, { functions }: Watched): readonly Alarm[] {
    const ofFunction = ({ functionName }: WatchedFunction, metricName: string) => {
        return { namespace: "AWS/Lambda", metricName, dimensions: { FunctionName: functionName }, minutes: 3 } as const;
    };
    const throttles = functions.map(
        (watched): Alarm => ({
            ...ofFunction(watched, "Throttles"),
            name: `${watched.name}-throttles`,
            description: `Lambda refuses invocations of ${watched.name} because its concurrency is used up.`,
            statistic: "Sum",
            threshold: 0,
        }),
    );
    // The authorizer fails in order to refuse a request: API Gateway then answers 401.
    const failing = functions.filter(({ failsOnPurpose }) => !failsOnPurpose);
    const errors = failing.map(
        (watched): Alarm => ({
            ...ofFunction(watched, "Errors"),
            name: `${watched.name}-errors`,
            description: `Invocations of ${watched.name} fail. Its log has the reason.`,
            statistic: "Sum",
            threshold: 0,
        }),
    );
    const streamed = functions.filter(({ readsStream }) => readsStream);
    const age = streamed.map(
        (watched): Alarm => ({
            ...ofFunction(watched, "IteratorAge"),
            name: `${watched.name}-iterator-age`,
            description: "Users who connected wait too long for held notifications.",
            statistic: "Maximum",
            threshold: settings.iteratorAgeAlarmSeconds * 1000,
        }),
    );
    return [...errors, ...throttles, ...age];
}

/** Alarms, the topic that they notify, and the dashboard. */
export class Observability extends pulumi.ComponentResource {
    readonly dashboardUrl: pulumi.Output<string>;

    constructor(name: string, deployment: PlacedDeployment, watched: Watched, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:Observability", name, {}, opts);
        const { prefix } = deployment;
        const alarmActions = this.topicArns(deployment);
        const create = (alarm: string, description: string, args: Omit<aws.cloudwatch.MetricAlarmArgs, "comparisonOperator">): void => {
            new aws.cloudwatch.MetricAlarm(
                alarm,
                {
                    ...args,
                    name: `${prefix}-${alarm}`,
                    alarmDescription: description,
                    comparisonOperator: "GreaterThanThreshold",
                    // https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarms-and-missing-data
                    treatMissingData: "notBreaching",
                    alarmActions,
                    okActions: alarmActions,
                },
                { parent: this },
            );
        };
        for (const { name: alarm, description, minutes, dimensions, ...metric } of [
            ...queueAlarms(deployment, watched),
            ...apiAlarms(watched),
            ...functionAlarms(deployment, watched),
        ]) {
            create(alarm, description, { ...metric, dimensions: { ...dimensions }, period: 60, evaluationPeriods: minutes, datapointsToAlarm: minutes });
        }
        for (const { name: alarm, description, metrics, expression, threshold } of [...deliveryAlarms(watched), ...handshakeAlarms(watched)]) {
            const sums = Object.entries(metrics).map(([id, { dimensions, ...metric }]) => ({
                id,
                metric: { ...metric, dimensions: { ...dimensions }, stat: "Sum", period: SHARE_PERIOD_SECONDS },
            }));
            const metricQueries = [{ id: "share", expression, label: alarm, returnData: true }, ...sums];
            create(alarm, description, { threshold, metricQueries, evaluationPeriods: 3, datapointsToAlarm: 2 });
        }
        const dashboard = new aws.cloudwatch.Dashboard(
            name,
            { dashboardName: prefix, dashboardBody: dashboardBody(watched) },
            { parent: this },
        );
        this.dashboardUrl = pulumi.interpolate`https://console.aws.amazon.com/cloudwatch/home?region=${watched.region}#dashboards/dashboard/${dashboard.dashboardName}`;
        this.registerOutputs({ dashboardUrl: this.dashboardUrl });
    }

    /** Returns the SNS topics that alarms notify. Creates one if the configuration has an email address. */
    private topicArns({ prefix, settings, operationsKeyArn }: PlacedDeployment): pulumi.Input<string>[] {
        const configured = settings.alarmTopicArn === undefined ? [] : [settings.alarmTopicArn];
        if (settings.alarmEmail === undefined) {
            return configured;
        }
        const parent = { parent: this };
        const topic = new aws.sns.Topic("alarms", { name: `${prefix}-alarms`, ...(operationsKeyArn === undefined ? {} : { kmsMasterKeyId: operationsKeyArn }) }, parent);
        new aws.sns.TopicSubscription("alarms", { topic: topic.arn, protocol: "email", endpoint: settings.alarmEmail }, parent);
        return [...configured, topic.arn];
    }
}
