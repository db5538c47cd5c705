import { readFile } from "node:fs/promises";

import * as sdk from "@aws-sdk/client-lambda";

import { uniqueId } from "../../mocks/recorder.js";
import { arn, makeClient, required, type Endpoint } from "../endpoint.js";
import { handler, same, tags, type Handlers } from "../handler.js";
import { atLeast, exactly, flag, list, map, number, oneOf, optional, text } from "../read.js";

const TIMEOUT_SECONDS = 60;

/**
 * A file archive in a resource's inputs (https://www.pulumi.com/docs/iac/concepts/assets-archives/). The state keeps its
 * hash alone.
 */
const archive = atLeast({ path: optional(text), hash: optional(text) });

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
type LambdaFunction = ReturnType<typeof lambdaFunction>;
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
type EventSourceMapping = ReturnType<typeof eventSourceMapping>;
const permission = exactly({ action: text, function: text, principal: text, sourceArn: text });
const policy = atLeast({ Statement: list(atLeast({ Sid: text, Action: text, Principal: atLeast({ Service: text }), Condition: map(map(text)) })) });

function invokeArn(endpoint: Endpoint, functionArn: string): string {
    return `arn:aws:apigateway:${endpoint.client.region}:lambda:path/2015-03-31/functions/${functionArn}/invocations`;
}

function configuration(inputs: LambdaFunction): Omit<sdk.UpdateFunctionConfigurationCommandInput, "FunctionName"> {
    return {
        Runtime: inputs.runtime,
        Handler: inputs.handler,
        Role: inputs.role,
        Timeout: inputs.timeout,
        MemorySize: inputs.memorySize,
        Environment: { Variables: inputs.environment.variables },
        TracingConfig: { Mode: inputs.tracingConfig.mode },
    };
}

/** Returns the settings of an event source that can be changed. */
function sourceSettings(inputs: EventSourceMapping): Omit<sdk.UpdateEventSourceMappingCommandInput, "UUID"> {
    return {
        FunctionName: inputs.functionName,
        BatchSize: inputs.batchSize,
        FunctionResponseTypes: inputs.functionResponseTypes,
        ScalingConfig: inputs.scalingConfig && { MaximumConcurrency: inputs.scalingConfig.maximumConcurrency },
        ParallelizationFactor: inputs.parallelizationFactor,
        MaximumRetryAttempts: inputs.maximumRetryAttempts,
        BisectBatchOnFunctionError: inputs.bisectBatchOnFunctionError,
        DestinationConfig: inputs.destinationConfig && { OnFailure: { Destination: inputs.destinationConfig.onFailure.destinationArn } },
        FilterCriteria: inputs.filterCriteria && { Filters: inputs.filterCriteria.filters.map(({ pattern }) => ({ Pattern: pattern })) },
    };
}

/** Returns the handlers of Lambda. */
export function lambda(endpoint: Endpoint): Handlers {
    const functions = makeClient(sdk.LambdaClient, endpoint.client);
    const waited = { client: functions, maxWaitTime: TIMEOUT_SECONDS, minDelay: 1 };
    const reserve = (FunctionName: string, count: number | undefined): Promise<unknown> =>
        count === undefined
            ? functions.send(new sdk.DeleteFunctionConcurrencyCommand({ FunctionName }))
            : functions.send(new sdk.PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: count }));
    return {
        "aws:lambda/function:Function": handler(lambdaFunction, {
            create: async (inputs) => {
                const { name } = inputs;
                const code = { ZipFile: await readFile(required(inputs.code.path, "path of the archive")) };
                await functions.send(
                    new sdk.CreateFunctionCommand({
                        ...configuration(inputs),
                        Role: inputs.role,
                        FunctionName: name,
                        Architectures: inputs.architectures,
                        Code: code,
                        Tags: inputs.tags,
                    }),
                );
                await sdk.waitUntilFunctionActiveV2(waited, { FunctionName: name });
                if (inputs.reservedConcurrentExecutions !== undefined) {
                    await reserve(name, inputs.reservedConcurrentExecutions);
                }
                const own = arn(endpoint, "lambda", `function:${name}`);
                return { id: name, outputs: { arn: own, invokeArn: invokeArn(endpoint, own) } };
            },
            read: async (name) => {
                const { Configuration: found, Concurrency } = await functions.send(new sdk.GetFunctionCommand({ FunctionName: name }));
                return {
                    inputs: {
                        name: found?.FunctionName,
                        runtime: found?.Runtime,
                        architectures: found?.Architectures,
                        handler: found?.Handler,
                        role: found?.Role,
                        timeout: found?.Timeout,
                        memorySize: found?.MemorySize,
                        environment: { variables: found?.Environment?.Variables ?? {} },
                        tracingConfig: { mode: found?.TracingConfig?.Mode },
                        reservedConcurrentExecutions: Concurrency?.ReservedConcurrentExecutions,
                    },
                    // As in the AWS provider, code that somebody else deployed shows in an output alone.
                    outputs: { codeSha256: found?.CodeSha256 },
                };
            },
            update: async (name, inputs, before) => {
                if (inputs.code.hash !== before.code.hash || !same(inputs.architectures, before.architectures)) {
                    const ZipFile = await readFile(required(inputs.code.path, "path of the archive"));
                    await functions.send(new sdk.UpdateFunctionCodeCommand({ FunctionName: name, ZipFile, Architectures: inputs.architectures }));
                    await sdk.waitUntilFunctionUpdatedV2(waited, { FunctionName: name });
                }
                if (!same(configuration(inputs), configuration(before))) {
                    await functions.send(new sdk.UpdateFunctionConfigurationCommand({ FunctionName: name, ...configuration(inputs) }));
                    await sdk.waitUntilFunctionUpdatedV2(waited, { FunctionName: name });
                }
                if (inputs.reservedConcurrentExecutions !== before.reservedConcurrentExecutions) {
                    await reserve(name, inputs.reservedConcurrentExecutions);
                }
            },
            remove: (name) => functions.send(new sdk.DeleteFunctionCommand({ FunctionName: name })),
        }),
        "aws:lambda/eventSourceMapping:EventSourceMapping": handler(eventSourceMapping, {
            create: async (inputs) => {
                const { UUID: id } = await functions.send(
                    new sdk.CreateEventSourceMappingCommand({
                        ...sourceSettings(inputs),
                        FunctionName: inputs.functionName,
                        EventSourceArn: inputs.eventSourceArn,
                        StartingPosition: inputs.startingPosition,
                        Tags: inputs.tags,
                    }),
                );
                return { id: required(id, "event source mapping") };
            },
            read: async (UUID) => {
                const found = await functions.send(new sdk.GetEventSourceMappingCommand({ UUID }));
                const concurrency = found.ScalingConfig?.MaximumConcurrency;
                const destination = found.DestinationConfig?.OnFailure?.Destination;
                const filters = (found.FilterCriteria?.Filters ?? []).map(({ Pattern }) => ({ pattern: Pattern }));
                return {
                    inputs: {
                        functionName: found.FunctionArn,
                        eventSourceArn: found.EventSourceArn,
                        batchSize: found.BatchSize,
                        functionResponseTypes: found.FunctionResponseTypes,
                        scalingConfig: concurrency === undefined ? undefined : { maximumConcurrency: concurrency },
                        startingPosition: found.StartingPosition,
                        parallelizationFactor: found.ParallelizationFactor,
                        maximumRetryAttempts: found.MaximumRetryAttempts,
                        bisectBatchOnFunctionError: found.BisectBatchOnFunctionError,
                        destinationConfig: destination === undefined ? undefined : { onFailure: { destinationArn: destination } },
                        filterCriteria: filters.length === 0 ? undefined : { filters },
                    },
                };
            },
            update: (UUID, inputs, before) => {
                // An empty configuration of the scaling removes the limit.
                const unlimited = inputs.scalingConfig === undefined && before.scalingConfig !== undefined ? { ScalingConfig: {} } : {};
                return functions.send(new sdk.UpdateEventSourceMappingCommand({ UUID, ...sourceSettings(inputs), ...unlimited }));
            },
            remove: (UUID) => functions.send(new sdk.DeleteEventSourceMappingCommand({ UUID })),
        }),
        "aws:lambda/permission:Permission": handler(permission, {
            create: async (inputs) => {
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
            },
            read: async (id, { function: of }) => {
                const { Policy } = await functions.send(new sdk.GetPolicyCommand({ FunctionName: of }));
                const { Statement: all } = policy(JSON.parse(required(Policy, "policy")), `policy of ${of}`);
                const found = all.find(({ Sid }) => Sid === id);
                if (found === undefined) {
                    return undefined;
                }
                const [condition] = Object.values(found.Condition);
                return { inputs: { action: found.Action, function: of, principal: found.Principal.Service, sourceArn: condition?.["AWS:SourceArn"] } };
            },
            remove: (id, { function: of }) => functions.send(new sdk.RemovePermissionCommand({ FunctionName: of, StatementId: id })),
        }),
    };
}
