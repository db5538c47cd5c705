import * as pulumi from "@pulumi/pulumi";

import type { Deployment } from "./configuration.js";
import { ServiceFunction } from "./service-function.js";
import type { Storage } from "./storage.js";

/** Answers the routes of the WebSocket API, and readers of the history. */
export class WsEdge extends pulumi.ComponentResource {
    readonly service: ServiceFunction;

    constructor(name: string, deployment: Deployment, storage: Storage, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:WsEdge", name, {}, opts);
        this.service = new ServiceFunction(
            "ws-edge",
            deployment,
            { connectionsTable: storage.target("connections"), mailboxTable: storage.target("mailbox"), ...storage.history() },
            { parent: this },
        );
        this.registerOutputs({ function: this.service.function.name });
    }
}
