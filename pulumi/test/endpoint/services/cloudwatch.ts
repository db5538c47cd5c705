import * as sdk from "@aws-sdk/client-cloudwatch";
import * as logs from "@aws-sdk/client-cloudwatch-logs";

import type { Properties } from "../../mocks/recorder.js";
import { arn, makeClient, type Endpoint } from "../endpoint.js";
import { handler, tagList, tags, type Handlers } from "../handler.js";
import { exactly, flag, list, map, number, oneOf, optional, text } from "../read.js";

const logGroup = exactly({ name: text, retentionInDays: number, kmsKeyId: optional(text), tags });
const metricQuery = exactly({
    id: text,
    expression: optional(text),
    label: optional(text),
    returnData: optional(flag),
    metric: optional(exactly({ namespace: text, metricName: text, dimensions: map(text), stat: text, period: number })),
});
const metricAlarm = exactly({
    name: text,
    alarmDescription: text,
    namespace: optional(text),
    metricName: optional(text),
    dimensions: optional(map(text)),
    statistic: optional(oneOf("Maximum", "Sum")),
    metricQueries: optional(list(metricQuery)),
    threshold: number,
    comparisonOperator: oneOf("GreaterThanThreshold"),
    period: optional(number),
    evaluationPeriods: number,
    datapointsToAlarm: number,
    treatMissingData: text,
    alarmActions: list(text),
    okActions: list(text),
    tags,
});
const dashboard = exactly({ dashboardName: text, dashboardBody: text });

/** Ignores that the emulator has no `DisassociateKmsKey`. It encrypts no log, so nothing is missing. */
function ignoreUnknownAction(error: unknown): void {
    if (!String(error).includes("Unknown action")) {
        throw error;
    }
}

function dimensionList(dimensions: Readonly<Record<string, string>>): sdk.Dimension[] {
    return Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value }));
}

/** Returns the handlers of CloudWatch and CloudWatch Logs. */
export function cloudwatch(endpoint: Endpoint): Handlers {
    const metrics = makeClient(sdk.CloudWatchClient, endpoint.client);
    const groups = makeClient(logs.CloudWatchLogsClient, endpoint.client);
    const putAlarm = (inputs: ReturnType<typeof metricAlarm>): Promise<unknown> =>
        metrics.send(
            new sdk.PutMetricAlarmCommand({
                AlarmName: inputs.name,
                AlarmDescription: inputs.alarmDescription,
                Namespace: inputs.namespace,
                MetricName: inputs.metricName,
                Dimensions: inputs.dimensions && dimensionList(inputs.dimensions),
                Metrics: inputs.metricQueries?.map(({ id, expression, label, returnData, metric }) => ({
                    Id: id,
                    Expression: expression,
                    Label: label,
                    ReturnData: returnData ?? false,
                    MetricStat: metric && {
                        Metric: { Namespace: metric.namespace, MetricName: metric.metricName, Dimensions: dimensionList(metric.dimensions) },
                        Stat: metric.stat,
                        Period: metric.period,
                    },
                })),
                Statistic: inputs.statistic,
                Threshold: inputs.threshold,
                ComparisonOperator: inputs.comparisonOperator,
                Period: inputs.period,
                EvaluationPeriods: inputs.evaluationPeriods,
                DatapointsToAlarm: inputs.datapointsToAlarm,
                TreatMissingData: inputs.treatMissingData,
                AlarmActions: inputs.alarmActions,
                OKActions: inputs.okActions,
                Tags: tagList(inputs.tags),
            }),
        );
    const putDashboard = async ({ dashboardName, dashboardBody }: ReturnType<typeof dashboard>): Promise<void> => {
        const put = new sdk.PutDashboardCommand({ DashboardName: dashboardName, DashboardBody: dashboardBody });
        const { DashboardValidationMessages: wrong = [] } = await metrics.send(put);
        if (wrong.length > 0) {
            throw new Error(JSON.stringify(wrong));
        }
    };
    return {
        "aws:cloudwatch/logGroup:LogGroup": handler(logGroup, {
            create: async ({ name, retentionInDays, kmsKeyId, tags: own }) => {
                await groups.send(new logs.CreateLogGroupCommand({ logGroupName: name, kmsKeyId, tags: own }));
                await groups.send(new logs.PutRetentionPolicyCommand({ logGroupName: name, retentionInDays }));
                return { id: name, outputs: { arn: arn(endpoint, "logs", `log-group:${name}`) } };
            },
            read: async (name) => {
                const { logGroups = [] } = await groups.send(new logs.DescribeLogGroupsCommand({ logGroupNamePrefix: name }));
                const found = logGroups.find(({ logGroupName }) => logGroupName === name);
                return found && { inputs: { name: found.logGroupName, retentionInDays: found.retentionInDays, kmsKeyId: found.kmsKeyId } };
            },
            update: async (name, { retentionInDays, kmsKeyId }, before) => {
                await groups.send(new logs.PutRetentionPolicyCommand({ logGroupName: name, retentionInDays }));
                if (kmsKeyId !== before.kmsKeyId) {
                    await (kmsKeyId === undefined
                        ? groups.send(new logs.DisassociateKmsKeyCommand({ logGroupName: name })).catch(ignoreUnknownAction)
                        : groups.send(new logs.AssociateKmsKeyCommand({ logGroupName: name, kmsKeyId })));
                }
            },
            remove: (name) => groups.send(new logs.DeleteLogGroupCommand({ logGroupName: name })),
        }),
        "aws:cloudwatch/metricAlarm:MetricAlarm": handler(metricAlarm, {
            create: async (inputs) => {
                await putAlarm(inputs);
                return { id: inputs.name };
            },
            read: async (name, { metricQueries }) => {
                const { MetricAlarms: alarms = [] } = await metrics.send(new sdk.DescribeAlarmsCommand({ AlarmNames: [name] }));
                const [found] = alarms;
                const metric: Properties = {
                    namespace: found?.Namespace,
                    metricName: found?.MetricName,
                    dimensions: Object.fromEntries((found?.Dimensions ?? []).map(({ Name, Value }) => [Name, Value])),
                    statistic: found?.Statistic,
                    period: found?.Period,
                };
                return (
                    found && {
                        inputs: {
                            name: found.AlarmName,
                            alarmDescription: found.AlarmDescription,
                            // The emulator forgets the queries of an alarm. Pulumi takes no member without a value.
                            ...(metricQueries === undefined ? metric : { metricQueries: JSON.parse(JSON.stringify(metricQueries)) as unknown }),
                            threshold: found.Threshold,
                            comparisonOperator: found.ComparisonOperator,
                            evaluationPeriods: found.EvaluationPeriods,
                            datapointsToAlarm: found.DatapointsToAlarm,
                            treatMissingData: found.TreatMissingData,
                            alarmActions: found.AlarmActions ?? [],
                            okActions: found.OKActions ?? [],
                        },
                    }
                );
            },
            update: (_, inputs) => putAlarm(inputs),
            remove: (name) => metrics.send(new sdk.DeleteAlarmsCommand({ AlarmNames: [name] })),
        }),
        "aws:cloudwatch/dashboard:Dashboard": handler(dashboard, {
            create: async (inputs) => {
                await putDashboard(inputs);
                return { id: inputs.dashboardName };
            },
            read: async (name) => {
                const found = await metrics.send(new sdk.GetDashboardCommand({ DashboardName: name }));
                return { inputs: { dashboardName: found.DashboardName, dashboardBody: found.DashboardBody } };
            },
            update: (_, inputs) => putDashboard(inputs),
            remove: (name) => metrics.send(new sdk.DeleteDashboardsCommand({ DashboardNames: [name] })),
        }),
    };
}
