import { readFile } from "node:fs/promises";

import * as sdk from "@aws-sdk/client-lambda";

import { uniqueId } from "../../engine/recorder.js";
import { arn, required, type Endpoint } from "../endpoint.js";
import { handler, tags, type Handlers } from "../handler.js";
import { exactly, flag, list, map, number, oneOf, optional, text, type Read } from "../read.js";

const CREATION_TIMEOUT_SECONDS = 60;

// The form of a file archive in a resource's inputs
// (https://www.pulumi.com/docs/iac/concepts/assets-archives/): two members mark it as an archive, `path` is its file.
const ASSET = "4dabf18193072939515e22adb298388d";
const archive: Read<string> = (value, where) =>
    exactly({ [ASSET]: text, __pulumiArchive: flag, path: text })(value, where).path;

const lambdaFunction = exactly({
    name: text,
    runtime: oneOf("provided.al2023"),
    architectures: list(oneOf("arm64", "x86_64")),
    handler: text,
    code: archive,
    role: text,
    timeout: number,
    memorySize: number,
    environment: exactly({ variables: map(text) }),
    tracingConfig: exactly({ mode: oneOf("Active") }),
    reservedConcurrentExecutions: optional(number),
    tags,
});
const eventSourceMapping = exactly({
    functionName: text,
    eventSourceArn: text,
    batchSize: number,
    functionResponseTypes: list(oneOf("ReportBatchItemFailures")),
    scalingConfig: optional(exactly({ maximumConcurrency: number })),
    startingPosition: optional(oneOf("TRIM_HORIZON")),
    parallelizationFactor: optional(number),
    maximumRetryAttempts: optional(number),
    bisectBatchOnFunctionError: optional(flag),
    destinationConfig: optional(exactly({ onFailure: exactly({ destinationArn: text }) })),
    filterCriteria: optional(exactly({ filters: list(exactly({ pattern: text })) })),
    tags,
});
const permission = exactly({ action: text, function: text, principal: text, sourceArn: text });

function invokeArn(endpoint: Endpoint, functionArn: string): string {
    return `arn:aws:apigateway:${endpoint.client.region}:lambda:path/2015-03-31/functions/${functionArn}/invocations`;
}

/** Returns the handlers of Lambda. */
export function lambda(endpoint: Endpoint): Handlers {
    const functions = new sdk.LambdaClient(endpoint.client);
    return {
        "aws:lambda/function:Function": handler(lambdaFunction, async (inputs) => {
            const { name } = inputs;
            await functions.send(
                new sdk.CreateFunctionCommand({
                    FunctionName: name,
                    Runtime: inputs.runtime,
                    Architectures: inputs.architectures,
                    Handler: inputs.handler,
                    Code: { ZipFile: await readFile(inputs.code) },
                    Role: inputs.role,
                    Timeout: inputs.timeout,
                    MemorySize: inputs.memorySize,
                    Environment: { Variables: inputs.environment.variables },
                    TracingConfig: { Mode: inputs.tracingConfig.mode },
                    Tags: inputs.tags,
                }),
            );
            const waited = { client: functions, maxWaitTime: CREATION_TIMEOUT_SECONDS, minDelay: 1 };
            await sdk.waitUntilFunctionActiveV2(waited, { FunctionName: name });
            if (inputs.reservedConcurrentExecutions !== undefined) {
                const reserved = { FunctionName: name, ReservedConcurrentExecutions: inputs.reservedConcurrentExecutions };
                await functions.send(new sdk.PutFunctionConcurrencyCommand(reserved));
            }
            const own = arn(endpoint, "lambda", `function:${name}`);
            return { id: name, outputs: { arn: own, invokeArn: invokeArn(endpoint, own) } };
        }),
        "aws:lambda/eventSourceMapping:EventSourceMapping": handler(eventSourceMapping, async (inputs) => {
            const { UUID: id } = await functions.send(
                new sdk.CreateEventSourceMappingCommand({
                    FunctionName: inputs.functionName,
                    EventSourceArn: inputs.eventSourceArn,
                    BatchSize: inputs.batchSize,
                    FunctionResponseTypes: inputs.functionResponseTypes,
                    ScalingConfig: inputs.scalingConfig && { MaximumConcurrency: inputs.scalingConfig.maximumConcurrency },
                    StartingPosition: inputs.startingPosition,
                    ParallelizationFactor: inputs.parallelizationFactor,
                    MaximumRetryAttempts: inputs.maximumRetryAttempts,
                    BisectBatchOnFunctionError: inputs.bisectBatchOnFunctionError,
                    DestinationConfig: inputs.destinationConfig && {
                        OnFailure: { Destination: inputs.destinationConfig.onFailure.destinationArn },
                    },
                    FilterCriteria: inputs.filterCriteria && {
                        Filters: inputs.filterCriteria.filters.map(({ pattern }) => ({ Pattern: pattern })),
                    },
                    Tags: inputs.tags,
                }),
            );
            return { id: required(id, "event source mapping") };
        }),
        "aws:lambda/permission:Permission": handler(permission, async (inputs) => {
            const id = `pulumi-${uniqueId(16)}`;
            await functions.send(
                new sdk.AddPermissionCommand({
                    FunctionName: inputs.function,
                    StatementId: id,
                    Action: inputs.action,
                    Principal: inputs.principal,
                    SourceArn: inputs.sourceArn,
                }),
            );
            return { id };
        }),
    };
}
