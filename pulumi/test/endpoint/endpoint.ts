import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

/** Configuration of every client of the AWS SDK. */
export interface ClientConfiguration {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** An AWS endpoint with a single address for all services, such as an emulator. */
export interface Endpoint {
    readonly client: ClientConfiguration;
    readonly account: string;
    /** Address for programs on this machine. */
    readonly url: string;
    /** Address for functions, which may reach the endpoint by another way. */
    readonly functionsUrl: string;
}

/** Default access key and secret: emulators accept any. */
const DEFAULT_CREDENTIAL = "test";

/** Returns the configuration of clients for an endpoint, with the credentials of the environment or default ones. */
export function clientConfiguration(endpoint: string, region: string): ClientConfiguration {
    const { AWS_ACCESS_KEY_ID: accessKeyId = DEFAULT_CREDENTIAL, AWS_SECRET_ACCESS_KEY: secretAccessKey = DEFAULT_CREDENTIAL } = process.env;
    return { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
}

/** Prefix of the variables with the endpoints of single services. */
const SERVICE_VARIABLE = "AWS_ENDPOINT_URL_";

/** Returns the endpoints of single services in the environment, by their variables. Empty ones don't count. */
export function serviceEndpoints(): Readonly<Record<string, string>> {
    const variables = Object.entries(process.env).filter(([name, value = ""]) => name.startsWith(SERVICE_VARIABLE) && value !== "");
    return Object.fromEntries(variables) as Record<string, string>;
}

/**
 * Makes a client. The endpoint of its service in the environment, such as AWS_ENDPOINT_URL_SQS, comes before the one in
 * the configuration, which the SDK would prefer
 * (https://docs.aws.amazon.com/sdkref/latest/guide/ss-endpoints-table.html).
 */
export function makeClient<Client extends { readonly config: { readonly serviceId: string } }>(
    type: new (configuration: ClientConfiguration) => Client,
    configuration: ClientConfiguration,
): Client {
    const client = new type(configuration);
    const endpoint = serviceEndpoints()[`${SERVICE_VARIABLE}${client.config.serviceId.replaceAll(" ", "_").toUpperCase()}`];
    return endpoint === undefined ? client : new type({ ...configuration, endpoint });
}

/** Connects to an endpoint and looks up its account. */
export async function connect(url: string, region: string, functionsUrl: string): Promise<Endpoint> {
    const client = clientConfiguration(url, region);
    const { Account: account } = await makeClient(STSClient, client).send(new GetCallerIdentityCommand());
    return { client, account: required(account, "account"), url, functionsUrl };
}

/** Returns a member of an answer; throws if the answer lacks it. */
export function required<T>(value: T | null | undefined, what: string): T {
    if (value === undefined || value === null) {
        throw new Error(`the endpoint's answer has no ${what}`);
    }
    return value;
}

/** Returns an ARN in the endpoint's account and region. */
export function arn({ client, account }: Endpoint, service: string, resource: string): string {
    return `arn:aws:${service}:${client.region}:${account}:${resource}`;
}

/** Returns the base URL of an API on an endpoint; stage and path follow it. */
export function apiUrl(endpoint: string, apiId: string): string {
    return `${endpoint}/_aws/execute-api/${apiId}`;
}

/** Returns the WebSocket URL of an HTTP URL. */
export function webSocketUrl(url: string): string {
    return url.replace(/^http/, "ws");
}
