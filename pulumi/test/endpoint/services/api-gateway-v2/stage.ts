import * as sdk from "@aws-sdk/client-apigatewayv2";

import { apiUrl, webSocketUrl, type Endpoint } from "../../endpoint.js";
import { handler, tags, type Handler } from "../../handler.js";
import { exactly, flag, list, number, oneOf, optional, text } from "../../read.js";

const throttling = { throttlingRateLimit: number, throttlingBurstLimit: number, detailedMetricsEnabled: flag };
const traces = { dataTraceEnabled: optional(flag), loggingLevel: optional(oneOf("OFF")) };
const settings = exactly({ ...throttling, ...traces });
const stage = exactly({
    apiId: text,
    name: text,
    autoDeploy: flag,
    accessLogSettings: optional(exactly({ destinationArn: text, format: text })),
    defaultRouteSettings: settings,
    routeSettings: optional(list(exactly({ routeKey: text, ...throttling, ...traces }))),
    tags,
});
type Stage = ReturnType<typeof stage>;
type Settings = ReturnType<typeof settings>;

function toSdk(of: Settings): sdk.RouteSettings {
    return {
        ThrottlingRateLimit: of.throttlingRateLimit,
        ThrottlingBurstLimit: of.throttlingBurstLimit,
        DetailedMetricsEnabled: of.detailedMetricsEnabled,
        DataTraceEnabled: of.dataTraceEnabled,
        LoggingLevel: of.loggingLevel,
    };
}

/** Returns the settings of a route as inputs, without those that `expected` lacks. */
function fromSdk(found: sdk.RouteSettings | undefined, expected: Settings | undefined): Record<string, unknown> {
    const all: Record<keyof Settings, unknown> = {
        throttlingRateLimit: found?.ThrottlingRateLimit,
        throttlingBurstLimit: found?.ThrottlingBurstLimit,
        detailedMetricsEnabled: found?.DetailedMetricsEnabled,
        dataTraceEnabled: found?.DataTraceEnabled,
        loggingLevel: found?.LoggingLevel,
    };
    return Object.fromEntries(Object.entries(all).filter(([name]) => expected?.[name as keyof Settings] !== undefined));
}

function stageSettings(inputs: Stage) {
    const log = inputs.accessLogSettings;
    return {
        ApiId: inputs.apiId,
        StageName: inputs.name,
        AutoDeploy: inputs.autoDeploy,
        AccessLogSettings: log && { DestinationArn: log.destinationArn, Format: log.format },
        DefaultRouteSettings: toSdk(inputs.defaultRouteSettings),
        RouteSettings: Object.fromEntries((inputs.routeSettings ?? []).map((one) => [one.routeKey, toSdk(one)])),
    };
}

/** Returns the handler of a stage of an HTTP or WebSocket API. */
export function stageHandler(apis: sdk.ApiGatewayV2Client, endpoint: Endpoint): Handler {
    /** Looks up the protocol of an API and returns its URL. */
    const address = async (id: string): Promise<string> => {
        const { ProtocolType: protocol } = await apis.send(new sdk.GetApiCommand({ ApiId: id }));
        const url = apiUrl(endpoint.url, id);
        return protocol === "WEBSOCKET" ? webSocketUrl(url) : url;
    };
    return handler(stage, {
        create: async (inputs) => {
            await apis.send(new sdk.CreateStageCommand({ ...stageSettings(inputs), Tags: inputs.tags }));
            // On an emulator the path has the name of the stage, even for `$default`.
            return { id: inputs.name, outputs: { invokeUrl: `${await address(inputs.apiId)}/${inputs.name}` } };
        },
        read: async (StageName, inputs) => {
            const found = await apis.send(new sdk.GetStageCommand({ ApiId: inputs.apiId, StageName }));
            const { DestinationArn: destinationArn, Format: format } = found.AccessLogSettings ?? {};
            const expected = new Map((inputs.routeSettings ?? []).map((one) => [one.routeKey, one]));
            const routes = Object.entries(found.RouteSettings ?? {});
            return {
                inputs: {
                    apiId: inputs.apiId,
                    name: found.StageName,
                    autoDeploy: found.AutoDeploy,
                    accessLogSettings: destinationArn === undefined ? undefined : { destinationArn, format },
                    defaultRouteSettings: fromSdk(found.DefaultRouteSettings, inputs.defaultRouteSettings),
                    routeSettings: routes.length === 0 ? undefined : routes.map(([routeKey, one]) => ({ routeKey, ...fromSdk(one, expected.get(routeKey)) })),
                },
            };
        },
        update: async (StageName, inputs, before) => {
            if (inputs.accessLogSettings === undefined && before.accessLogSettings !== undefined) {
                await apis.send(new sdk.DeleteAccessLogSettingsCommand({ ApiId: inputs.apiId, StageName }));
            }
            await apis.send(new sdk.UpdateStageCommand(stageSettings(inputs)));
        },
        remove: (StageName, { apiId: ApiId }) => apis.send(new sdk.DeleteStageCommand({ ApiId, StageName })),
    });
}
