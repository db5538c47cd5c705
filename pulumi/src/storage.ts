import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Deployment } from "./configuration.js";
import { contract, named, type TableContract } from "./contract.js";
import type { Target } from "./policies.js";

/** The tables of the contract. */
export class Storage extends pulumi.ComponentResource {
    private readonly tables: readonly { readonly name: string; readonly table: aws.dynamodb.Table }[];

    constructor(name: string, deployment: Deployment, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:Storage", name, {}, opts);
        const wanted = contract.tables.filter((table) => !table.optional || deployment.settings.history);
        this.tables = wanted.map((table) => ({ name: table.name, table: this.make(table, deployment) }));
        this.registerOutputs({ tables: this.names() });
    }

    private make(table: TableContract, { prefix, settings }: Deployment): aws.dynamodb.Table {
        const keys = table.sortKey === undefined ? [table.partitionKey] : [table.partitionKey, table.sortKey];
        return new aws.dynamodb.Table(
            table.name,
            {
                name: `${prefix}-${table.name}`,
                // Users come and go in waves, and nothing is paid while nobody is there.
                billingMode: "PAY_PER_REQUEST",
                attributes: keys.map((key) => ({ name: key, type: "S" })),
                hashKey: table.partitionKey,
                ...(table.sortKey === undefined ? {} : { rangeKey: table.sortKey }),
                ttl: { attributeName: table.ttl, enabled: true },
                ...(table.stream === undefined ? {} : { streamEnabled: true, streamViewType: table.stream }),
                // The key that AWS manages in this account, alias/aws/dynamodb: its uses are in CloudTrail, and no
                // role needs rights to it. A key of our own would add rights to each role and a dollar a month, and
                // keep out nobody whom the roles let in.
                // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html
                serverSideEncryption: { enabled: true },
                // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html
                pointInTimeRecovery: { enabled: settings.production },
                deletionProtectionEnabled: settings.production,
            },
            { parent: this, protect: settings.production },
        );
    }

    /** A table, by its name in the contract. */
    table(name: string): aws.dynamodb.Table {
        return named(this.tables, name).table;
    }

    /** A table as functions know it. */
    target(name: string): Target {
        const table = this.table(name);
        return { value: table.name, arn: table.arn };
    }

    /** The table of the history, if there is to be one. */
    history(): { readonly historyTable?: Target } {
        return this.tables.some(({ name }) => name === "history") ? { historyTable: this.target("history") } : {};
    }

    /** What the tables are called on AWS, by their names in the contract. */
    names(): Record<string, pulumi.Output<string>> {
        return Object.fromEntries(this.tables.map(({ name, table }) => [name, table.name]));
    }
}
