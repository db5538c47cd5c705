import { defineConfig } from "vite";

export default defineConfig({
    base: "/console/",
    resolve: { conditions: ["source"] },
    build: {
        outDir: "../dist/console",
        emptyOutDir: true,
        target: "es2022",
        // The pages' Content-Security-Policy allows no data: addresses.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
    },
});
