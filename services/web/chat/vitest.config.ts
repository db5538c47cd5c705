import { defineConfig } from "vitest/config";

export default defineConfig({
    resolve: { conditions: ["@tidings/source"] },
    ssr: { resolve: { conditions: ["@tidings/source"] } },
    test: { include: ["test/**/*.test.ts"] },
});
