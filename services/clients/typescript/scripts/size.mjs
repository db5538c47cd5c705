// Measures how much the client adds to a page: bundled and minified by esbuild, compressed by gzip at level 9.
//
//   node scripts/size.mjs     prints the sizes; the exit code is 1 if they exceed the limit
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { bundle } from "./bundle.mjs";

/** Maximum size in bytes, after compression. */
export const LIMIT = 6 * 1000;

/** Returns the size of the bundle in bytes, minified and compressed. */
export async function measure() {
    const { outputFiles } = await bundle({ write: false });
    const { contents } = outputFiles[0];
    return { minified: contents.length, compressed: gzipSync(contents, { level: 9 }).length };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const { minified, compressed } = await measure();
    console.log(`${minified} bytes minified, ${compressed} compressed; the limit is ${LIMIT}`);
    if (compressed >= LIMIT) process.exitCode = 1;
}
