import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { PlacedDeployment } from "./configuration.js";
import { contract } from "./contract.js";
import type { Dispatcher } from "./dispatcher.js";
import { queueRef, queueRefs, type Queue } from "./queue.js";
import { ServiceFunction } from "./service-function.js";
import type { Storage } from "./storage.js";

/** Components that the service depends on. */
export interface ReplayerArgs {
    readonly storage: Storage;
    readonly queue: Queue;
    /** The dispatcher, which must know every kind of entry before the replayer sends one. */
    readonly dispatcher: Dispatcher;
}

/** The service `replayer`: a function that requeues held notifications when their user connects. */
export class Replayer extends pulumi.ComponentResource {
    readonly service: ServiceFunction;

    constructor(name: string, deployment: PlacedDeployment, { storage, queue, dispatcher }: ReplayerArgs, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:Replayer", name, {}, opts);
        const stream = storage.table("connections").streamArn;
        this.service = new ServiceFunction(
            "replayer",
            deployment,
            {
                mailboxTable: storage.ref("mailbox"),
                notificationsQueue: queueRefs(queue.pairs.map(({ notifications }) => notifications)),
                replayFailureQueue: queueRef(queue.replayFailures),
                connectionsStream: { value: stream, arn: stream },
            },
            { parent: this },
            { after: [dispatcher.service] },
        );
        const { batchSize, parallelizationFactor, maximumRetryAttempts, eventName } = contract.streamSource;
        // https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
        new aws.lambda.EventSourceMapping(
            "stream",
            {
                functionName: this.service.function.arn,
                eventSourceArn: stream,
                // LATEST would miss connects while the event source starts.
                startingPosition: "TRIM_HORIZON",
                batchSize,
                parallelizationFactor,
                maximumRetryAttempts,
                bisectBatchOnFunctionError: true,
                functionResponseTypes: ["ReportBatchItemFailures"],
                destinationConfig: { onFailure: { destinationArn: queue.replayFailures.arn } },
                filterCriteria: { filters: [{ pattern: JSON.stringify({ eventName: [eventName] }) }] },
            },
            // Lambda checks the role's permissions when it creates the event source.
            { parent: this, dependsOn: this.service.policy },
        );
        // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
        const sweep = new aws.cloudwatch.EventRule(
            "sweep",
            {
                name: `${deployment.prefix}-sweep`,
                description: "Has the replays queued that the dispatcher has scheduled",
                scheduleExpression: contract.sweepSchedule,
            },
            { parent: this },
        );
        const permission = this.service.allow("sweep", "events.amazonaws.com", sweep.arn);
        new aws.cloudwatch.EventTarget(
            "sweep",
            { rule: sweep.name, arn: this.service.function.arn },
            { parent: this, dependsOn: permission },
        );
        this.registerOutputs({ function: this.service.function.name });
    }
}
