import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Deployment } from "./configuration.js";
import { dashboardBody, type Watched } from "./dashboard.js";

/** A metric and from where on it is alarming. Periods are minutes, and no data is no alarm. */
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

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
function queueAlarms({ settings }: Deployment, { queues }: Watched): readonly Alarm[] {
    const visible = { namespace: "AWS/SQS", metricName: "ApproximateNumberOfMessagesVisible", statistic: "Maximum", threshold: 0, minutes: 1 } as const;
    return [
        {
            name: "oldest-message",
            description: "Notifications wait: the dispatcher fails, is throttled, or does not keep up.",
            namespace: "AWS/SQS",
            metricName: "ApproximateAgeOfOldestMessage",
            dimensions: { QueueName: queues.notifications.name },
            statistic: "Maximum",
            threshold: settings.oldestMessageAlarmSeconds,
            minutes: 3,
        },
        {
            ...visible,
            name: "dead-letters",
            description: "Notifications could not be delivered; the attribute of each says why. Redrive them when it is mended.",
            dimensions: { QueueName: queues.deadLetters.name },
        },
        {
            ...visible,
            name: "replay-failures",
            description: "The replayer gave stream records up; what is held for these users comes when they connect again.",
            dimensions: { QueueName: queues.replayFailures.name },
        },
    ];
}

// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
function functionAlarms({ settings }: Deployment, { functions }: Watched): readonly Alarm[] {
    const throttles = functions.map(
        ({ name, functionName }): Alarm => ({
            name: `${name}-throttles`,
            description: `Invocations of ${name} are refused for want of concurrency.`,
            namespace: "AWS/Lambda",
            metricName: "Throttles",
            dimensions: { FunctionName: functionName },
            statistic: "Sum",
            threshold: 0,
            minutes: 3,
        }),
    );
    // Not of the authorizer: it fails on purpose, to have 401 answered.
    const failing = functions.filter(({ failsOnPurpose }) => !failsOnPurpose);
    const errors = failing.map(
        ({ name, functionName }): Alarm => ({
            name: `${name}-errors`,
            description: `Invocations of ${name} fail; its log says why.`,
            namespace: "AWS/Lambda",
            metricName: "Errors",
            dimensions: { FunctionName: functionName },
            statistic: "Sum",
            threshold: 0,
            minutes: 3,
        }),
    );
    const streamed = functions.filter(({ readsStream }) => readsStream);
    const age = streamed.map(
        ({ name, functionName }): Alarm => ({
            name: `${name}-iterator-age`,
            description: "Users who came back wait for what is held for them.",
            namespace: "AWS/Lambda",
            metricName: "IteratorAge",
            dimensions: { FunctionName: functionName },
            statistic: "Maximum",
            threshold: settings.iteratorAgeAlarmSeconds * 1000,
            minutes: 3,
        }),
    );
    return [...errors, ...throttles, ...age];
}

/** Alarms, whom they tell, and a dashboard. */
export class Observability extends pulumi.ComponentResource {
    readonly dashboardUrl: pulumi.Output<string>;

    constructor(name: string, deployment: Deployment, watched: Watched, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:Observability", name, {}, opts);
        const { prefix } = deployment;
        const alarmActions = this.destinations(deployment);
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

    /** The topics that alarms go to. */
    private destinations({ prefix, settings }: Deployment): pulumi.Input<string>[] {
        const given = settings.alarmTopicArn === undefined ? [] : [settings.alarmTopicArn];
        if (settings.alarmEmail === undefined) {
            return given;
        }
        const parent = { parent: this };
        const topic = new aws.sns.Topic("alarms", { name: `${prefix}-alarms` }, parent);
        new aws.sns.TopicSubscription("alarms", { topic: topic.arn, protocol: "email", endpoint: settings.alarmEmail }, parent);
        return [...given, topic.arn];
    }
}
