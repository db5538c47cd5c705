import * as pulumi from "@pulumi/pulumi";

import type { Deployment } from "./configuration.js";
import type { Target } from "./policies.js";
import { queueTarget, type Queue } from "./queue.js";
import { ServiceFunction } from "./service-function.js";
import type { Storage } from "./storage.js";

/** What the edge works with. */
export interface WsEdgeArgs {
    readonly storage: Storage;
    readonly queue: Queue;
    /** The connections of the WebSocket API's stage. */
    readonly connections: Target;
}

/** Answers the routes of the WebSocket API, and readers of the history. */
export class WsEdge extends pulumi.ComponentResource {
    readonly service: ServiceFunction;

    constructor(name: string, deployment: Deployment, args: WsEdgeArgs, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:WsEdge", name, {}, opts);
        const { storage, queue } = args;
        this.service = new ServiceFunction(
            "ws-edge",
            deployment,
            {
                connectionsTable: storage.target("connections"),
                mailboxTable: storage.target("mailbox"),
                hubsTable: storage.target("hubs"),
                ratesTable: storage.target("rates"),
                notificationsQueue: queueTarget(queue.notifications),
                connections: args.connections,
                ...storage.history(),
            },
            { parent: this },
        );
        this.registerOutputs({ function: this.service.function.name });
    }
}
