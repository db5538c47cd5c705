import { defineConfig } from "vitest/config";

import base from "./vitest.config.mjs";

export default defineConfig({
    test: {
        ...base.test,
        include: ["test/deployment/*.test.ts"],
        testTimeout: 300_000,
        // The tests of a file are steps of one story.
        bail: 1,
    },
});
