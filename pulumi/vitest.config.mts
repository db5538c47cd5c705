import { defineConfig } from "vitest/config";

export default defineConfig({
    test: {
        include: ["test/**/*.test.ts"],
        // The SDK of Pulumi has one state for each process.
        pool: "forks",
        testTimeout: 120_000,
        hookTimeout: 120_000,
        // The SDK of AWS is pinned to a version that supports this Node.js, and says of later ones that they won't.
        env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
    },
});
