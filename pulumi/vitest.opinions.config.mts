import { defineConfig } from "vitest/config";

import base from "./vitest.config.mjs";

export default defineConfig({
    test: {
        ...base.test,
        include: ["test/opinions/*.test.ts"],
    },
});
