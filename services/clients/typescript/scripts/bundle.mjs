// Bundles the client into one file, for pages without a build step; a server serves it as /client.js.
//
//   node scripts/bundle.mjs FILE     FILE is where the bundle goes, relative to this package
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Bundles and minifies the client; `options` are more of esbuild's. */
export async function bundle(options) {
    return build({
        entryPoints: [path("../src/index.ts")],
        bundle: true,
        minify: true,
        format: "esm",
        target: "es2022",
        ...options,
    });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const [, , outfile] = process.argv;
    if (outfile === undefined) {
        console.error("usage: node scripts/bundle.mjs FILE");
        process.exit(64);
    }
    await bundle({ outfile });
}
