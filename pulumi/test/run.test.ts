import { describe, expect, test } from "vitest";

import { graph } from "./engine/in-process.js";
import { fakeAws } from "./engine/provider.js";
import { run } from "./engine/runner.js";
import { STACK_NAMES, stackConfiguration } from "./engine/stacks.js";
import type { Graph } from "./graph.js";

function registered(made: Graph): readonly string[] {
    return made.resources.map(({ type, name, protect }) => `${type} ${name}${protect ? ", protected" : ""}`).sort();
}

describe("the entry point, run by Pulumi's own program runner", () => {
    test.each(STACK_NAMES)("deploys %s, with all that the rules were tried on", async (stack) => {
        const done = await run(stack, stackConfiguration(stack), fakeAws);
        expect(done.log).toBe("");
        expect(done.status).toBe(0);
        const tried = await graph(stack);
        expect(registered(done.graph)).toEqual(registered(tried));
        expect(Object.keys(done.graph.outputs).sort()).toEqual(Object.keys(tried.outputs).sort());
        expect(done.graph.outputs["queueUrl"]).toBe(tried.outputs["queueUrl"]);
    });

    test("says which archive is missing, and how to make it", async () => {
        const config = stackConfiguration("dev", { "tidings:archives": "/nowhere" });
        const done = await run("dev", config, fakeAws);
        expect(done.status).not.toBe(0);
        expect(done.log).toContain("/nowhere/auth-token-issuer.zip is not there; scripts/build-lambdas makes it");
        expect(done.graph.ifAny("lambda/function")).toEqual([]);
    });
});
