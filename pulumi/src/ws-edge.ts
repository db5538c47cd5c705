import * as pulumi from "@pulumi/pulumi";

import type { PlacedDeployment } from "./configuration.js";
import type { Dispatcher } from "./dispatcher.js";
import { queueRefs, type Queue } from "./queue.js";
import { ServiceFunction } from "./service-function.js";
import type { Storage } from "./storage.js";
import type { Connections } from "./websocket-api.js";

/** Components that the service depends on. */
export interface WsEdgeArgs {
    readonly storage: Storage;
    readonly queue: Queue;
    readonly connections: Connections;
    /** The dispatcher, which must know every kind of entry before the edge sends one. */
    readonly dispatcher: Dispatcher;
}

/** The service `ws-edge`: a function that answers the routes of the WebSocket API and requests for the history. */
export class WsEdge extends pulumi.ComponentResource {
    readonly service: ServiceFunction;

    constructor(name: string, deployment: PlacedDeployment, args: WsEdgeArgs, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:WsEdge", name, {}, opts);
        const { storage, queue } = args;
        this.service = new ServiceFunction(
            "ws-edge",
            deployment,
            {
                connectionsTable: storage.ref("connections"),
                mailboxTable: storage.ref("mailbox"),
                hubsTable: storage.ref("hubs"),
                ratesTable: storage.ref("rates"),
                notificationsQueue: queueRefs(queue.pairs.map(({ notifications }) => notifications)),
                connections: args.connections.posted,
                connectionDeletions: args.connections.deleted,
                ...storage.history(),
            },
            { parent: this },
            { after: [args.dispatcher.service] },
        );
        this.registerOutputs({ function: this.service.function.name });
    }
}
