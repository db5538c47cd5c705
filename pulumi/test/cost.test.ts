import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { programGraph } from "./mocks/in-process.js";

/** The calculator of the bill (`tidings cost`). */
const BILL = readFileSync(join(__dirname, "../../services/standalone/cost/src/bill.rs"), "utf8");

// CloudWatch bills an alarm by the metrics that it reads (https://aws.amazon.com/cloudwatch/pricing/).
test("the calculator counts the metrics of a production stack's alarms", async () => {
    const graph = await programGraph("prod");
    const billed = graph.allOf("cloudwatch/metricAlarm").flatMap(({ inputs }) => {
        const queries = inputs["metricQueries"] as readonly { readonly metric?: unknown }[] | undefined;
        return queries?.filter(({ metric }) => metric !== undefined) ?? [inputs];
    });
    const counted = /const ALARMS: f64 = (\d+)\.0;/.exec(BILL)?.[1];
    expect(Number(counted)).toBe(billed.length);
});
