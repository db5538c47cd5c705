import { defineConfig } from "vitest/config";

export default defineConfig({
    test: {
        include: ["test/*.test.ts"],
        globalSetup: ["test/temporary-files.ts"],
        // Pulumi's SDK has global state, so each test file needs its own process.
        pool: "forks",
        testTimeout: 120_000,
        hookTimeout: 120_000,
        // The pinned AWS SDK supports Node.js 20, and warns that later releases will not.
        env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
    },
});
