import { type UserConfig, defineConfig } from "vite";

/** Returns how Vite builds the page in the folder `name`, which a server shows at the path `base`. */
export function page(name: string, base: string): UserConfig {
    return defineConfig({
        base,
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
