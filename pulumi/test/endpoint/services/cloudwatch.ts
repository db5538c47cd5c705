import * as sdk from "@aws-sdk/client-cloudwatch";
import * as logs from "@aws-sdk/client-cloudwatch-logs";

import { arn, type Endpoint } from "../endpoint.js";
import { handler, tagList, tags, type Handlers } from "../handler.js";
import { exactly, list, map, number, oneOf, optional, text } from "../read.js";

const logGroup = exactly({ name: text, retentionInDays: number, kmsKeyId: optional(text), tags });
const metricAlarm = exactly({
    name: text,
    alarmDescription: text,
    namespace: text,
    metricName: text,
    dimensions: map(text),
    statistic: oneOf("Maximum", "Sum"),
    threshold: number,
    comparisonOperator: oneOf("GreaterThanThreshold"),
    period: number,
    evaluationPeriods: number,
    datapointsToAlarm: number,
    treatMissingData: text,
    alarmActions: list(text),
    okActions: list(text),
    tags,
});
const dashboard = exactly({ dashboardName: text, dashboardBody: text });

/** Returns the handlers of CloudWatch and CloudWatch Logs. */
export function cloudwatch(endpoint: Endpoint): Handlers {
    const metrics = new sdk.CloudWatchClient(endpoint.client);
    const groups = new logs.CloudWatchLogsClient(endpoint.client);
    return {
        "aws:cloudwatch/logGroup:LogGroup": handler(logGroup, async (inputs) => {
            const { name, retentionInDays } = inputs;
            await groups.send(new logs.CreateLogGroupCommand({ logGroupName: name, kmsKeyId: inputs.kmsKeyId, tags: inputs.tags }));
            await groups.send(new logs.PutRetentionPolicyCommand({ logGroupName: name, retentionInDays }));
            return { id: name, outputs: { arn: arn(endpoint, "logs", `log-group:${name}`) } };
        }),
        "aws:cloudwatch/metricAlarm:MetricAlarm": handler(metricAlarm, async (inputs) => {
            await metrics.send(
                new sdk.PutMetricAlarmCommand({
                    AlarmName: inputs.name,
                    AlarmDescription: inputs.alarmDescription,
                    Namespace: inputs.namespace,
                    MetricName: inputs.metricName,
                    Dimensions: Object.entries(inputs.dimensions).map(([Name, Value]) => ({ Name, Value })),
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
            return { id: inputs.name };
        }),
        "aws:cloudwatch/dashboard:Dashboard": handler(dashboard, async ({ dashboardName, dashboardBody }) => {
            const { DashboardValidationMessages: wrong = [] } = await metrics.send(
                new sdk.PutDashboardCommand({ DashboardName: dashboardName, DashboardBody: dashboardBody }),
            );
            if (wrong.length > 0) {
                throw new Error(JSON.stringify(wrong));
            }
            return { id: dashboardName };
        }),
    };
}
