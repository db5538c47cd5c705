import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import { queueConcurrency } from "./account.js";
import type { PlacedDeployment } from "./configuration.js";
import { contract } from "./contract.js";
import type { ResourceRef } from "./policies.js";
import { queueRefs, type Queue } from "./queue.js";
import { ServiceFunction } from "./service-function.js";
import type { Storage } from "./storage.js";

/** Components that the service depends on. */
export interface DispatcherArgs {
    readonly storage: Storage;
    readonly queue: Queue;
    /** Open connections of the WebSocket API's stage. */
    readonly connections: ResourceRef;
}

/** The service `dispatcher`: a function that receives notifications from the queue, and pushes or holds them. */
export class Dispatcher extends pulumi.ComponentResource {
    readonly service: ServiceFunction;

    constructor(name: string, deployment: PlacedDeployment, args: DispatcherArgs, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:Dispatcher", name, {}, opts);
        const { storage, queue } = args;
        const { queueEpoch } = deployment.settings;
        this.service = new ServiceFunction(
            "dispatcher",
            deployment,
            {
                connectionsTable: storage.ref("connections"),
                mailboxTable: storage.ref("mailbox"),
                hubsTable: storage.ref("hubs"),
                notificationsQueue: queueRefs(queue.pairs.map(({ notifications }) => notifications)),
                deadLetterQueue: queueRefs(queue.pairs.map(({ deadLetters }) => deadLetters)),
                connections: args.connections,
                ...storage.history(),
            },
            { parent: this },
            { variables: new Map(queueEpoch === 0 ? [] : [["TIDINGS_QUEUE_EPOCH", String(queueEpoch)]]) },
        );
        const maximumConcurrency = queueConcurrency(deployment.settings, deployment.account);
        for (const { suffix, notifications } of queue.pairs) {
            // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
            new aws.lambda.EventSourceMapping(
                `queue${suffix}`,
                {
                    functionName: this.service.function.arn,
                    eventSourceArn: notifications.arn,
                    batchSize: contract.queueSource.batchSize,
                    functionResponseTypes: ["ReportBatchItemFailures"],
                    scalingConfig: { maximumConcurrency },
                },
                // Lambda checks the role's permissions when it creates the event source.
                { parent: this, dependsOn: this.service.policy },
            );
        }
        this.registerOutputs({ function: this.service.function.name });
    }
}
