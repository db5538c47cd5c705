// Builds the client as one file for pages without a build: ../dist/client/client.js, which a server serves.
//
//   node scripts/bundle.mjs
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The client, bundled and minified. */
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
    await bundle({ outfile: path("../../dist/client/client.js") });
}
