import { defineConfig } from "vitest/config";

import base from "./vitest.config.mjs";

export default defineConfig({
    test: {
        ...base.test,
        include: ["test/deployment/*.test.ts"],
        // Each is some runs of pulumi, of seconds on a machine with nothing else to do, and of minutes on a busy one.
        testTimeout: 900_000,
        // The tests of a file are steps of one story.
        bail: 1,
    },
});
