import { type UserConfig, defineConfig } from "vite";

/** Returns how Vite builds the page in the folder `name`. Its addresses are relative: a server may be below a path. */
export function page(name: string): UserConfig {
    return defineConfig({
        base: "./",
        resolve: { conditions: ["@tidings/source"] },
        build: {
            outDir: `../dist/${name}`,
            emptyOutDir: true,
            target: "es2022",
            // The pages' Content-Security-Policy allows no data: addresses.
            assetsInlineLimit: 0,
            modulePreload: { polyfill: false },
        },
    });
}
