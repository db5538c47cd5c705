import * as pulumi from "@pulumi/pulumi";
import type * as aws from "@pulumi/aws";

import type { QueuePair } from "./queue.js";

/** A function with alarms and metrics on the dashboard. */
export interface WatchedFunction {
    /** Name in the contract. */
    readonly name: string;
    readonly functionName: pulumi.Output<string>;
    /** True if the function fails in order to refuse a request, so that its errors are no reason for an alarm. */
    readonly failsOnPurpose: boolean;
    readonly readsStream: boolean;
}

/** Resources with alarms and metrics on the dashboard. */
export interface Watched {
    readonly region: pulumi.Output<string>;
    readonly queues: {
        readonly pairs: readonly QueuePair[];
        readonly replayFailures: aws.sqs.Queue;
    };
    readonly functions: readonly WatchedFunction[];
    readonly apis: {
        /** Id of the WebSocket API. */
        readonly clientsId: pulumi.Output<string>;
        /** Id of the HTTP API for connect tokens. */
        readonly tokensId: pulumi.Output<string>;
        /** Name of the REST API for producers, by which CloudWatch knows it. */
        readonly producersName: pulumi.Output<string>;
    };
}

/** A graph of the dashboard. All its metrics have the same statistic. */
interface Graph {
    readonly title: string;
    readonly stat: string;
    readonly metrics: readonly (readonly string[])[];
}

// The grid has 24 columns (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html).
const WIDTH = 8;
const HEIGHT = 6;
const COLUMNS = 24 / WIDTH;

function body(region: string, graphs: readonly Graph[]): string {
    const widgets = graphs.map(({ title, stat, metrics }, at) => ({
        type: "metric",
        x: (at % COLUMNS) * WIDTH,
        y: Math.floor(at / COLUMNS) * HEIGHT,
        width: WIDTH,
        height: HEIGHT,
        properties: { title, region, stat, period: 60, view: "timeSeries", metrics },
    }));
    return JSON.stringify({ widgets });
}

/** Returns the body of the dashboard, with graphs of backlog, deliveries and failures. */
export function dashboardBody({ region, queues, functions, apis }: Watched): pulumi.Output<string> {
    const notificationsNames = pulumi.all(queues.pairs.map((pair) => pair.notifications.name));
    const failureNames = pulumi.all([...queues.pairs.map((pair) => pair.deadLetters.name), queues.replayFailures.name]);
    const apiNames = pulumi.all([apis.clientsId, apis.tokensId, apis.producersName]);
    const names = pulumi.all([region, apiNames, notificationsNames, failureNames, pulumi.all(functions.map(({ functionName }) => functionName))]);
    const readsStream = functions.map((watched) => watched.readsStream);
    return names.apply(([regionName, [clientsId, tokensId, producersName], notifications, failures, functionNames]) => {
        const queueMetric = (metric: string, name: string): string[] => ["AWS/SQS", metric, "QueueName", name];
        const functionMetrics = (metric: string, some: readonly string[] = functionNames): string[][] =>
            some.map((name) => ["AWS/Lambda", metric, "FunctionName", name]);
        // https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html
        const apiMetric = (metric: string): string[] => ["AWS/ApiGateway", metric, "ApiId", clientsId];
        const visible = "ApproximateNumberOfMessagesVisible";
        const replayers = functionNames.filter((_, index) => readsStream[index]);
        return body(regionName, [
            { title: "Age of the oldest message, s", stat: "Maximum", metrics: notifications.map((name) => queueMetric("ApproximateAgeOfOldestMessage", name)) },
            { title: "Backlog, messages", stat: "Maximum", metrics: notifications.map((name) => queueMetric(visible, name)) },
            { title: "Dead letters and failed replays", stat: "Maximum", metrics: failures.map((name) => queueMetric(visible, name)) },
            { title: "Messages sent", stat: "Sum", metrics: notifications.map((name) => queueMetric("NumberOfMessagesSent", name)) },
            { title: "Connects and WebSocket messages", stat: "Sum", metrics: [apiMetric("ConnectCount"), apiMetric("MessageCount")] },
            { title: "WebSocket errors", stat: "Sum", metrics: ["ClientError", "IntegrationError", "ExecutionError"].map(apiMetric) },
            {
                title: "Errors of the producer API and the token API",
                stat: "Sum",
                metrics: [
                    ["AWS/ApiGateway", "5XXError", "ApiName", producersName],
                    ["AWS/ApiGateway", "5xx", "ApiId", tokensId],
                ],
            },
            { title: "Invocations", stat: "Sum", metrics: functionMetrics("Invocations") },
            { title: "Errors", stat: "Sum", metrics: functionMetrics("Errors") },
            { title: "Throttles", stat: "Sum", metrics: functionMetrics("Throttles") },
            { title: "Duration, p99, ms", stat: "p99", metrics: functionMetrics("Duration") },
            { title: "Concurrency", stat: "Maximum", metrics: functionMetrics("ConcurrentExecutions") },
            { title: "Replay delay, ms", stat: "Maximum", metrics: functionMetrics("IteratorAge", replayers) },
        ]);
    });
}
