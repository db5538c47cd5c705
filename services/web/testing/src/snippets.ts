import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";

const ROOT = new URL("../../../../", import.meta.url);

/** Returns the program `name` of a document: the code block after the line `<!-- run: NAME -->`. */
export function snippet(path: string, name: string): string {
    const text = readFileSync(new URL(path, ROOT), "utf8");
    const [, rest, ...others] = text.split(`<!-- run: ${name} -->\n\`\`\``);
    const code = rest === undefined ? undefined : /^\w+\n(.*?)^```$/msu.exec(rest)?.[1];
    if (code === undefined || others.length > 0) throw new Error(`${path} has no program called ${name}, or several`);
    return code;
}

/** Bundles a program with the packages of this workspace that it imports. */
export async function bundled(code: string, options: BuildOptions = {}): Promise<string> {
    const resolveDir = fileURLToPath(new URL("services/web/browser", ROOT));
    const { outputFiles } = await build({
        stdin: { contents: code, resolveDir, loader: "tsx" },
        bundle: true,
        format: "esm",
        target: "es2022",
        jsx: "automatic",
        conditions: ["@tidings/source"],
        ...options,
        write: false,
    });
    const [file] = outputFiles;
    if (file === undefined) throw new Error("the bundle is empty");
    return file.text;
}
