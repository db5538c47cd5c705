import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Deployment } from "./configuration.js";
import { contract } from "./contract.js";
import type { Target } from "./policies.js";
import { queueTarget, type Queue } from "./queue.js";
import { ServiceFunction } from "./service-function.js";
import type { Storage } from "./storage.js";

/** What the dispatcher works with. */
export interface DispatcherArgs {
    readonly storage: Storage;
    readonly queue: Queue;
    /** The connections of the WebSocket API's stage. */
    readonly connections: Target;
}

/** Pushes or holds what the queue delivers. */
export class Dispatcher extends pulumi.ComponentResource {
    readonly service: ServiceFunction;

    constructor(name: string, deployment: Deployment, args: DispatcherArgs, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:Dispatcher", name, {}, opts);
        const { storage, queue } = args;
        this.service = new ServiceFunction(
            "dispatcher",
            deployment,
            {
                connectionsTable: storage.target("connections"),
                mailboxTable: storage.target("mailbox"),
                hubsTable: storage.target("hubs"),
                notificationsQueue: queueTarget(queue.notifications),
                deadLetterQueue: queueTarget(queue.deadLetters),
                connections: args.connections,
                ...storage.history(),
            },
            { parent: this },
        );
        const maximumConcurrency = deployment.settings.dispatcherMaximumConcurrency;
        // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
        new aws.lambda.EventSourceMapping(
            "queue",
            {
                functionName: this.service.function.arn,
                eventSourceArn: queue.notifications.arn,
                batchSize: contract.queueSource.batchSize,
                functionResponseTypes: ["ReportBatchItemFailures"],
                ...(maximumConcurrency === undefined ? {} : { scalingConfig: { maximumConcurrency } }),
            },
            // Lambda tries the role's rights when it makes the event source.
            { parent: this, dependsOn: this.service.policy },
        );
        this.registerOutputs({ function: this.service.function.name });
    }
}
