import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { clientConfiguration } from "../endpoint/endpoint.js";
import { NO_OMISSIONS } from "../endpoint/omissions.js";
import { forget, Project } from "../endpoint/project.js";
import type { Settings } from "../endpoint/settings.js";
import { stackValues, type Configuration } from "../mocks/stacks.js";
import { packArchives } from "./archives.js";
import { startEmulator } from "./emulator.js";
import { Outside } from "./outside.js";

export const REGION = "us-east-1";

/** A project without stacks and the endpoint to which it deploys. */
export interface Setup {
    readonly url: string;
    /** Folder that is deleted at the end. */
    readonly root: string;
    readonly project: Project;
    readonly outside: Outside;
    /** Folders of two versions of the functions' archives. */
    readonly archives: { readonly before: string; readonly after: string };
    /** Ends the emulator and deletes all files. */
    readonly end: () => void;
}

/** Starts an emulator, and makes a project that deploys to it. */
export async function setUp(): Promise<Setup> {
    // By default, the emulator's account is as large as this machine.
    const { url, stop } = await startEmulator({ LAMBDA_ACCOUNT_CONCURRENCY: "1000" });
    const root = mkdtempSync(join(tmpdir(), "tidings-project-"));
    const settings: Settings = { url, region: REGION, functionsUrl: url, omit: NO_OMISSIONS };
    return {
        url,
        root,
        project: new Project(root, settings),
        outside: new Outside(clientConfiguration(url, REGION)),
        archives: { before: packArchives(root, "1"), after: packArchives(root, "2") },
        end: () => {
            stop();
            forget(root);
        },
    };
}

/** Returns the configuration of `dev` with every optional resource. */
export function everything(archives: string, changes: Configuration = {}): Configuration {
    return stackValues("dev", {
        "tidings:archives": archives,
        "tidings:history": true,
        "tidings:handshakeMethods": ["token", "hmac"],
        "tidings:alarmEmail": "operations@example.com",
        "tidings:apiGatewayLogs": "account",
        ...changes,
    });
}
