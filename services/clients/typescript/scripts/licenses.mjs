// Copies the repository's license files into this package, so that the published package contains them.
//
//   node scripts/licenses.mjs
import { copyFile } from "node:fs/promises";

for (const name of ["LICENSE", "LICENSE-APACHE"]) {
    await copyFile(new URL(`../../../../${name}`, import.meta.url), new URL(`../${name}`, import.meta.url));
}
