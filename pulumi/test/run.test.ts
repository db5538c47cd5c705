import { describe, expect, test } from "vitest";

import { programGraph } from "./engine/in-process.js";
import { fakeAws } from "./engine/provider.js";
import { runProgram } from "./engine/runner.js";
import { STACK_NAMES, stackConfiguration } from "./engine/stacks.js";
import type { Graph } from "./graph.js";

function registered(graph: Graph): readonly string[] {
    return graph.resources.map(({ type, name, protect }) => `${type} ${name}${protect ? ", protected" : ""}`).sort();
}

describe("Pulumi's program runner", () => {
    test.each(STACK_NAMES)("registers the same resources of %s", async (stack) => {
        const run = await runProgram(stack, stackConfiguration(stack), fakeAws);
        expect(run.log).toBe("");
        expect(run.status).toBe(0);
        const inProcess = await programGraph(stack);
        expect(registered(run.graph)).toEqual(registered(inProcess));
        expect(Object.keys(run.graph.outputs).sort()).toEqual(Object.keys(inProcess.outputs).sort());
        expect(run.graph.outputs["queueUrl"]).toBe(inProcess.outputs["queueUrl"]);
    });

    test("reports a missing archive and how to build it", async () => {
        const config = stackConfiguration("dev", { "tidings:archives": "/nowhere" });
        const run = await runProgram("dev", config, fakeAws);
        expect(run.status).not.toBe(0);
        expect(run.log).toContain("/nowhere/auth-token-issuer.zip does not exist; run scripts/build-lambdas to build it");
        expect(run.graph.anyOf("lambda/function")).toEqual([]);
    });
});
