import { defineConfig } from "vitest/config";

export default defineConfig({
    test: {
        include: ["test/**/*.test.ts"],
        // The SDK of Pulumi has one state for each process.
        pool: "forks",
        testTimeout: 120_000,
        hookTimeout: 120_000,
    },
});
