import { defineConfig } from "vitest/config";

export default defineConfig({
    test: {
        include: ["test/**/*.test.ts"],
        // Those that start a server say that they need longer.
        testTimeout: 10_000,
    },
});
