import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Deployment } from "./configuration.js";
import { contract, findByName, type TableContract } from "./contract.js";
import type { ResourceRef } from "./policies.js";

/** The DynamoDB tables of the contract. */
export class Storage extends pulumi.ComponentResource {
    private readonly tables: readonly { readonly name: string; readonly table: aws.dynamodb.Table }[];

    constructor(name: string, deployment: Deployment, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:Storage", name, {}, opts);
        const wanted = contract.tables.filter((table) => !table.optional || deployment.settings.history);
        this.tables = wanted.map((table) => ({ name: table.name, table: this.createTable(table, deployment) }));
        this.registerOutputs({ tables: this.names() });
    }

    private createTable(table: TableContract, { prefix, settings }: Deployment): aws.dynamodb.Table {
        const keys = table.sortKey === undefined ? [table.partitionKey] : [table.partitionKey, table.sortKey];
        return new aws.dynamodb.Table(
            table.name,
            {
                name: `${prefix}-${table.name}`,
                // The load varies a lot, and an idle gateway costs nothing.
                billingMode: "PAY_PER_REQUEST",
                attributes: keys.map((key) => ({ name: key, type: "S" })),
                hashKey: table.partitionKey,
                ...(table.sortKey === undefined ? {} : { rangeKey: table.sortKey }),
                ttl: { attributeName: table.ttl, enabled: true },
                ...(table.stream === undefined ? {} : { streamEnabled: true, streamViewType: table.stream }),
                // The AWS managed key alias/aws/dynamodb: CloudTrail records its use, and no role needs permissions
                // for it. A customer managed key would add permissions to each role and a dollar a month, and would
                // not restrict access further than the roles do.
                // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html
                serverSideEncryption: { enabled: true },
                // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html
                pointInTimeRecovery: { enabled: settings.production },
                deletionProtectionEnabled: settings.production,
            },
            { parent: this, protect: settings.production },
        );
    }

    /** Returns the table with this name in the contract. */
    table(name: string): aws.dynamodb.Table {
        return findByName(this.tables, name).table;
    }

    /** Returns a table as a resource of a function. */
    ref(name: string): ResourceRef {
        const table = this.table(name);
        return { value: table.name, arn: table.arn };
    }

    /** Returns the history table as a resource of a function, or nothing if the history is off. */
    history(): { readonly historyTable?: ResourceRef } {
        return this.tables.some(({ name }) => name === "history") ? { historyTable: this.ref("history") } : {};
    }

    /** Returns the tables' names on AWS, by their names in the contract. */
    names(): Record<string, pulumi.Output<string>> {
        return Object.fromEntries(this.tables.map(({ name, table }) => [name, table.name]));
    }
}
