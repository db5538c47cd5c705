import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Settings } from "./configuration.js";

/** Facts about the AWS account that the program looks up before it registers anything. */
export interface Account {
    /** Number of invocations that the account's functions can run at the same time, in the region. */
    readonly concurrency: number;
    /** ARNs of the customer managed keys of existing secrets, by the ARNs of the secrets. */
    readonly secretKeys: ReadonlyMap<string, string>;
}

// The quota "Concurrent executions" (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const CONCURRENCY_QUOTA = { serviceCode: "lambda", quotaCode: "L-B99A9384" };

/**
 * Concurrency of an account that Lambda lets no function reserve
 * (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html).
 */
const UNRESERVED = 100;

/**
 * Highest default of the dispatcher's maximum concurrency. An invocation pushes a batch of 10 in about 50 ms, so 50 of
 * them reach the 10,000 requests per second that the account may send to connections
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html).
 */
const DISPATCHERS = 50;

/** The lowest maximum concurrency of an event source (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html). */
const FEWEST_DISPATCHERS = 2;

/** Looks up the account. Throws if the account can't do what the settings ask for. */
export async function lookUpAccount(settings: Settings): Promise<Account> {
    const { value: concurrency } = await aws.servicequotas.getServiceQuota(CONCURRENCY_QUOTA);
    checkReservations(settings, concurrency);
    checkConcurrency(settings, concurrency);
    const { jwtSecretArn, hmacSecretArn } = settings.handshake;
    const secrets = [jwtSecretArn, hmacSecretArn].filter((arn) => arn !== undefined);
    const keys = await Promise.all(secrets.map(async (arn) => [arn, await customerKey(arn)] as const));
    return { concurrency, secretKeys: new Map(keys.flatMap(([arn, key]) => (key === undefined ? [] : [[arn, key]]))) };
}

function checkReservations({ reservedConcurrency }: Settings, concurrency: number): void {
    const reserved = [...reservedConcurrency.values()].reduce((sum, count) => sum + count, 0);
    if (reserved > 0 && reserved > concurrency - UNRESERVED) {
        throw new pulumi.RunError(
            `tidings:reservedConcurrency reserves ${reserved} in all, but Lambda's quota "Concurrent executions" is ${concurrency} in this account ` +
                `and region, of which ${UNRESERVED} can't be reserved; raise the quota with Service Quotas, or reserve less`,
        );
    }
}

/** Returns the ARN of the customer managed key of a secret; undefined if its key is the one that AWS manages. */
async function customerKey(arn: string): Promise<string | undefined> {
    const { kmsKeyId: keyId } = await aws.secretsmanager.getSecret({ arn });
    return keyId === "" || keyId.endsWith("alias/aws/secretsmanager") ? undefined : (await aws.kms.getKey({ keyId })).arn;
}

/**
 * Returns the maximum concurrency of the dispatcher's event sources together. By default, half of the account's
 * concurrency stays for the functions that answer clients.
 */
function dispatcherConcurrency({ dispatcherMaximumConcurrency: set, reservedConcurrency }: Settings, concurrency: number): number {
    const available = reservedConcurrency.get("dispatcher") ?? Math.floor(concurrency / 2);
    return set ?? Math.max(FEWEST_DISPATCHERS, Math.min(DISPATCHERS, available));
}

/** Returns the maximum concurrency of the dispatcher's event source of one queue: all queues have the same share. */
export function queueConcurrency(settings: Settings, { concurrency }: Pick<Account, "concurrency">): number {
    return Math.floor(dispatcherConcurrency(settings, concurrency) / settings.queues);
}

function checkConcurrency(settings: Settings, concurrency: number): void {
    const reserved = settings.reservedConcurrency.get("dispatcher");
    const most = dispatcherConcurrency(settings, concurrency);
    if (reserved !== undefined && most > reserved) {
        throw new pulumi.RunError(
            `tidings:reservedConcurrency has dispatcher=${reserved}, and the event source may invoke it ${most} times at once; Lambda would throttle it, which ` +
                `counts as a failed delivery: reserve at least ${most}, or lower tidings:dispatcherMaximumConcurrency`,
        );
    }
    if (queueConcurrency(settings, { concurrency }) < FEWEST_DISPATCHERS) {
        throw new pulumi.RunError(
            `tidings:queues has ${settings.queues}, and the dispatcher can have ${dispatcherConcurrency(settings, concurrency)} invocations at the same time; ` +
                `each queue needs at least ${FEWEST_DISPATCHERS}: raise tidings:dispatcherMaximumConcurrency or the account's concurrency, or have fewer queues`,
        );
    }
}
