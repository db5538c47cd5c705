import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

/** What every client of the SDK is made with. */
export interface ClientConfiguration {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** An AWS endpoint of one address, such as an emulator's. */
export interface Endpoint {
    readonly client: ClientConfiguration;
    readonly account: string;
    /** Its address. */
    readonly url: string;
    /** Its address as functions are told it. */
    readonly through: string;
}

/** Emulators take any credentials, and these are the usual ones. */
const ANYBODY = "test";

/** What clients of an endpoint are made with: the credentials of the environment, or anybody's. */
export function clientConfiguration(endpoint: string, region: string): ClientConfiguration {
    const { AWS_ACCESS_KEY_ID: accessKeyId = ANYBODY, AWS_SECRET_ACCESS_KEY: secretAccessKey = ANYBODY } = process.env;
    return { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
}

/** Asks an endpoint whose it is. */
export async function connect(url: string, region: string, through: string): Promise<Endpoint> {
    const client = clientConfiguration(url, region);
    const { Account: account } = await new STSClient(client).send(new GetCallerIdentityCommand());
    return { client, account: given(account, "account"), url, through };
}

/** What an answer has to have. */
export function given<T>(value: T | null | undefined, what: string): T {
    if (value === undefined || value === null) {
        throw new Error(`the endpoint gives no ${what}`);
    }
    return value;
}

/** An ARN of this account. */
export function arn({ client, account }: Endpoint, service: string, resource: string): string {
    return `arn:aws:${service}:${client.region}:${account}:${resource}`;
}

/** The address of an API behind an endpoint, to which the stage and the path are added. */
export function apiUrl(endpoint: string, apiId: string): string {
    return `${endpoint}/_aws/execute-api/${apiId}`;
}

/** The same place over WebSocket. */
export function webSocketUrl(url: string): string {
    return url.replace(/^http/, "ws");
}
