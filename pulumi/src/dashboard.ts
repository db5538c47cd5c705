import * as pulumi from "@pulumi/pulumi";
import type * as aws from "@pulumi/aws";

/** A function that is watched. */
export interface WatchedFunction {
    /** Its name in the contract. */
    readonly name: string;
    readonly functionName: pulumi.Output<string>;
    /** Whether its errors are answers. */
    readonly failsOnPurpose: boolean;
    readonly readsStream: boolean;
}

/** What alarms and dashboard are about. */
export interface Watched {
    readonly region: pulumi.Output<string>;
    readonly queues: {
        readonly notifications: aws.sqs.Queue;
        readonly deadLetters: aws.sqs.Queue;
        readonly replayFailures: aws.sqs.Queue;
    };
    readonly functions: readonly WatchedFunction[];
    /** The WebSocket API. */
    readonly apiId: pulumi.Output<string>;
}

/** Metrics that have all but a dimension's value in common. */
interface Row {
    readonly title: string;
    readonly stat: string;
    readonly metrics: readonly (readonly string[])[];
}

// The grid is 24 wide (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html).
const WIDTH = 8;
const HEIGHT = 6;
const COLUMNS = 24 / WIDTH;

function body(region: string, rows: readonly Row[]): string {
    const widgets = rows.map(({ title, stat, metrics }, at) => ({
        type: "metric",
        x: (at % COLUMNS) * WIDTH,
        y: Math.floor(at / COLUMNS) * HEIGHT,
        width: WIDTH,
        height: HEIGHT,
        properties: { title, region, stat, period: 60, view: "timeSeries", metrics },
    }));
    return JSON.stringify({ widgets });
}

/** The dashboard: what waits, what is delivered, what fails. */
export function dashboardBody({ region, queues, functions, apiId }: Watched): pulumi.Output<string> {
    const queueNames = [queues.notifications.name, queues.deadLetters.name, queues.replayFailures.name];
    const names = pulumi.all([region, apiId, pulumi.all(queueNames), pulumi.all(functions.map((one) => one.functionName))]);
    const streamed = functions.map((one) => one.readsStream);
    return names.apply(([at, api, [notifications = "", ...failed], all]) => {
        const ofQueue = (metric: string, name: string): string[] => ["AWS/SQS", metric, "QueueName", name];
        const ofFunctions = (metric: string, some: readonly string[]): string[][] =>
            some.map((name) => ["AWS/Lambda", metric, "FunctionName", name]);
        // https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html
        const ofApi = (metric: string): string[] => ["AWS/ApiGateway", metric, "ApiId", api];
        const visible = "ApproximateNumberOfMessagesVisible";
        return body(at, [
            { title: "Oldest message, s", stat: "Maximum", metrics: [ofQueue("ApproximateAgeOfOldestMessage", notifications)] },
            { title: "Messages waiting", stat: "Maximum", metrics: [ofQueue(visible, notifications)] },
            { title: "Dead letters and failed replays", stat: "Maximum", metrics: failed.map((name) => ofQueue(visible, name)) },
            { title: "Messages sent", stat: "Sum", metrics: [ofQueue("NumberOfMessagesSent", notifications)] },
            { title: "Connects and WebSocket messages", stat: "Sum", metrics: [ofApi("ConnectCount"), ofApi("MessageCount")] },
            { title: "WebSocket errors", stat: "Sum", metrics: ["ClientError", "IntegrationError", "ExecutionError"].map(ofApi) },
            { title: "Invocations", stat: "Sum", metrics: ofFunctions("Invocations", all) },
            { title: "Errors", stat: "Sum", metrics: ofFunctions("Errors", all) },
            { title: "Throttles", stat: "Sum", metrics: ofFunctions("Throttles", all) },
            { title: "Duration, p99, ms", stat: "p99", metrics: ofFunctions("Duration", all) },
            { title: "Concurrency", stat: "Maximum", metrics: ofFunctions("ConcurrentExecutions", all) },
            { title: "Replays behind, ms", stat: "Maximum", metrics: ofFunctions("IteratorAge", all.filter((_, index) => streamed[index])) },
        ]);
    });
}
