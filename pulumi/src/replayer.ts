import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Deployment } from "./configuration.js";
import { contract } from "./contract.js";
import { queueTarget, type Queue } from "./queue.js";
import { ServiceFunction } from "./service-function.js";
import type { Storage } from "./storage.js";

/** Requeues what is held for users who came back. */
export class Replayer extends pulumi.ComponentResource {
    readonly service: ServiceFunction;

    constructor(name: string, deployment: Deployment, storage: Storage, queue: Queue, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:Replayer", name, {}, opts);
        const stream = storage.table("connections").streamArn;
        this.service = new ServiceFunction(
            "replayer",
            deployment,
            {
                mailboxTable: storage.target("mailbox"),
                notificationsQueue: queueTarget(queue.notifications),
                replayFailureQueue: queueTarget(queue.replayFailures),
                connectionsStream: { value: stream, arn: stream },
            },
            { parent: this },
        );
        const { batchSize, parallelizationFactor, maximumRetryAttempts, eventName } = contract.streamSource;
        // https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
        new aws.lambda.EventSourceMapping(
            "stream",
            {
                functionName: this.service.function.arn,
                eventSourceArn: stream,
                // With LATEST, connects while the event source starts would be missed.
                startingPosition: "TRIM_HORIZON",
                batchSize,
                parallelizationFactor,
                maximumRetryAttempts,
                bisectBatchOnFunctionError: true,
                functionResponseTypes: ["ReportBatchItemFailures"],
                destinationConfig: { onFailure: { destinationArn: queue.replayFailures.arn } },
                filterCriteria: { filters: [{ pattern: JSON.stringify({ eventName: [eventName] }) }] },
            },
            // Lambda tries the role's rights when it makes the event source.
            { parent: this, dependsOn: this.service.policy },
        );
        this.registerOutputs({ function: this.service.function.name });
    }
}
