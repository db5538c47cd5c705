import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { PackageDependency } from "@pulumi/pulumi/proto/plugin_pb";

/** The members of a package.json that the host reads. */
interface Manifest {
    readonly name: string;
    readonly version: string;
    readonly pulumi?: { readonly resource?: boolean; readonly name?: string };
}

/** Returns the folders of the packages in a folder of packages, scoped ones included. */
function packageFolders(folder: string): readonly string[] {
    if (!existsSync(folder)) {
        return [];
    }
    return readdirSync(folder)
        .filter((name) => !name.startsWith("."))
        .flatMap((name) => (name.startsWith("@") ? packageFolders(join(folder, name)) : [join(folder, name)]));
}

/** Returns the packages of a program that have a provider plugin. Only packages at the top of node_modules are seen. */
export function requiredPackages(program: string): PackageDependency[] {
    return packageFolders(join(program, "node_modules")).flatMap((folder) => {
        const file = join(folder, "package.json");
        if (!existsSync(file)) {
            return [];
        }
        const { name, version, pulumi } = JSON.parse(readFileSync(file, "utf8")) as Manifest;
        const plugin = pulumi?.name ?? name.replace(/^@pulumi\//, "");
        return pulumi?.resource === true ? [new PackageDependency().setName(plugin).setKind("resource").setVersion(`v${version}`)] : [];
    });
}
