import { exactly, flag, list, text } from "./read.js";
import { NO_OMISSIONS, type Omissions } from "./omissions.js";

/** Settings of the provider plugin. */
export interface Settings {
    /** Address of the endpoint for programs on this machine. */
    readonly url: string;
    readonly region: string;
    /** Address of the endpoint for functions. */
    readonly functionsUrl: string;
    readonly omit: Omissions;
}

/** Environment variables of the plugin. The engine passes its own environment to plugins. */
const VARIABLES = { url: "AWS_ENDPOINT_URL", region: "AWS_REGION", functionsUrl: "TIDINGS_FUNCTIONS_ENDPOINT", omit: "TIDINGS_OMIT" } as const;

const omissions = exactly({ actions: list(text), eventSources: flag });

/** Returns the environment variables that have these settings. */
export function toEnvironment({ url, region, functionsUrl, omit }: Settings): Record<string, string> {
    return {
        [VARIABLES.url]: url,
        [VARIABLES.region]: region,
        [VARIABLES.functionsUrl]: functionsUrl,
        [VARIABLES.omit]: JSON.stringify(omit),
    };
}

/** Reads the settings from environment variables. All but the first two have defaults. */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
    const find = (name: string): string => {
        const value = environment[name];
        if (value === undefined || value === "") {
            throw new Error(`${name} is missing`);
        }
        return value;
    };
    const url = find(VARIABLES.url).replace(/\/$/, "");
    const omit = environment[VARIABLES.omit];
    return {
        url,
        region: find(VARIABLES.region),
        functionsUrl: environment[VARIABLES.functionsUrl] ?? url,
        omit: omit === undefined ? NO_OMISSIONS : omissions(JSON.parse(omit), VARIABLES.omit),
    };
}
