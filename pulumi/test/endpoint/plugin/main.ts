import { main } from "@pulumi/pulumi/provider";

import { connect } from "../endpoint.js";
import { EndpointProvider } from "../provider.js";
import { readSettings } from "../settings.js";

async function serve(): Promise<void> {
    const { url, region, functionsUrl, omit } = readSettings(process.env);
    const endpoint = await connect(url, region, functionsUrl);
    await main(new EndpointProvider(endpoint, omit), process.argv.slice(2));
}

void serve();
