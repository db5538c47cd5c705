import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { PlacedDeployment } from "./configuration.js";
import { dashboardBody, type Watched, type WatchedFunction } from "./dashboard.js";
import type { QueuePair } from "./queue.js";

/**
 * An alarm on a metric. It goes off when the statistic exceeded the threshold in each of the last `minutes` minutes. A
 * minute without data counts as within the threshold.
 */
interface Alarm {
    readonly name: string;
    readonly description: string;
    readonly namespace: "AWS/SQS" | "AWS/Lambda";
    readonly metricName: string;
    readonly dimensions: Readonly<Record<string, pulumi.Input<string>>>;
    readonly statistic: "Maximum" | "Sum";
    readonly threshold: number;
    readonly minutes: number;
}

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
            description: "Notifications wait too long: the dispatcher fails, is throttled, or is overloaded.",
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
        for (const { name: alarm, description, minutes, dimensions, ...metric } of [
            ...queueAlarms(deployment, watched),
            ...functionAlarms(deployment, watched),
        ]) {
            new aws.cloudwatch.MetricAlarm(
                alarm,
                {
                    ...metric,
                    name: `${prefix}-${alarm}`,
                    alarmDescription: description,
                    dimensions: { ...dimensions },
                    comparisonOperator: "GreaterThanThreshold",
                    period: 60,
                    evaluationPeriods: minutes,
                    datapointsToAlarm: minutes,
                    // https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarms-and-missing-data
                    treatMissingData: "notBreaching",
                    alarmActions,
                    okActions: alarmActions,
                },
                { parent: this },
            );
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
