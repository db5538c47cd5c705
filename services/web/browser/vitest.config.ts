import { defineConfig } from "vitest/config";

export default defineConfig({
    resolve: { conditions: ["@tidings/source"] },
    ssr: { resolve: { conditions: ["@tidings/source"] } },
    test: {
        include: ["test/**/*.test.ts"],
        // A browser is slow to start on a busy machine; nothing here waits for a time to pass.
        testTimeout: 120_000,
        hookTimeout: 120_000,
        // One browser at a time.
        fileParallelism: false,
    },
});
