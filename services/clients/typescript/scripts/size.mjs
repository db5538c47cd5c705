// Measures what the client adds to a page: bundled and minified by esbuild, compressed by gzip at its best.
//
//   node scripts/size.mjs     prints the figures; exit code 1 when they are over the limit
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { bundle } from "./bundle.mjs";

/** What it may be, in bytes after compression. */
export const LIMIT = 6 * 1000;

/** Bytes of the bundle, minified, and compressed. */
export async function measure() {
    const { outputFiles } = await bundle({ write: false });
    const { contents } = outputFiles[0];
    return { minified: contents.length, compressed: gzipSync(contents, { level: 9 }).length };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const { minified, compressed } = await measure();
    console.log(`${minified} bytes minified, ${compressed} compressed; allowed are ${LIMIT}`);
    if (compressed >= LIMIT) process.exitCode = 1;
}
