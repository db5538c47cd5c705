import * as sdk from "@aws-sdk/client-eventbridge";

import { makeClient, required, type Endpoint } from "../endpoint.js";
import { handler, tagList, tags, type Handlers } from "../handler.js";
import { exactly, text } from "../read.js";

const eventRule = exactly({ name: text, description: text, scheduleExpression: text, tags });
const eventTarget = exactly({ rule: text, arn: text });

/** A rule has one target in the program. */
const TARGET = "function";

/** Returns the handlers of EventBridge. */
export function eventBridge({ client }: Endpoint): Handlers {
    const events = makeClient(sdk.EventBridgeClient, client);
    return {
        "aws:cloudwatch/eventRule:EventRule": handler(eventRule, {
            create: async ({ name, description, scheduleExpression, tags: own }) => {
                const put = new sdk.PutRuleCommand({ Name: name, Description: description, ScheduleExpression: scheduleExpression, Tags: tagList(own) });
                return { id: name, outputs: { arn: required((await events.send(put)).RuleArn, "rule") } };
            },
            read: async (Name) => {
                const found = await events.send(new sdk.DescribeRuleCommand({ Name }));
                return { inputs: { name: found.Name, description: found.Description, scheduleExpression: found.ScheduleExpression }, outputs: { arn: found.Arn } };
            },
            update: (Name, { description, scheduleExpression }) =>
                events.send(new sdk.PutRuleCommand({ Name, Description: description, ScheduleExpression: scheduleExpression })),
            remove: (Name) => events.send(new sdk.DeleteRuleCommand({ Name })),
        }),
        "aws:cloudwatch/eventTarget:EventTarget": handler(eventTarget, {
            create: async ({ rule, arn }) => {
                const { FailedEntries: failed = [] } = await events.send(new sdk.PutTargetsCommand({ Rule: rule, Targets: [{ Id: TARGET, Arn: arn }] }));
                if (failed.length > 0) {
                    throw new Error(JSON.stringify(failed));
                }
                return { id: `${rule}-${TARGET}` };
            },
            read: async (_, { rule }) => {
                const { Targets: all = [] } = await events.send(new sdk.ListTargetsByRuleCommand({ Rule: rule }));
                const found = all.find(({ Id }) => Id === TARGET);
                return found === undefined ? undefined : { inputs: { rule, arn: found.Arn } };
            },
            update: (_, { rule, arn }) => events.send(new sdk.PutTargetsCommand({ Rule: rule, Targets: [{ Id: TARGET, Arn: arn }] })),
            remove: (_, { rule }) => events.send(new sdk.RemoveTargetsCommand({ Rule: rule, Ids: [TARGET] })),
        }),
    };
}
