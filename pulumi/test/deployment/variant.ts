import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { REPOSITORY } from "../../src/contract.js";
import { PROGRAM } from "../mocks/stacks.js";

/** A change of the program's source. `from` must occur exactly once in the file. */
export interface Edit {
    /** Path relative to src/. */
    readonly file: string;
    readonly from: string;
    readonly to: string;
}

/** Changes an input of each resource type that no configuration key changes. */
export const EVERY_OTHER_TYPE: readonly Edit[] = [
    { file: "access-logs.ts", from: "tidings-${name}-", to: "tidings-apis-" },
    { file: "auth-token.ts", from: "Encrypts the connect tokens of", to: "Encrypts connect tokens of" },
    {
        file: "auth-token.ts",
        from: "targetKeyId: key.keyId",
        to: 'targetKeyId: new aws.kms.Key("other", { description: "other", enableKeyRotation: false, deletionWindowInDays: 7 }, parent).keyId',
    },
    { file: "auth-token.ts", from: "Shared with who connects to", to: "Shared with clients of" },
    { file: "dashboard.ts", from: 'title: "Invocations"', to: 'title: "Calls"' },
    { file: "identity.ts", from: 'writeAttributes: ["locale"]', to: 'writeAttributes: ["locale", "zoneinfo"]' },
    { file: "observability.ts", from: "...(operationsKeyArn === undefined ? {} : { kmsMasterKeyId: operationsKeyArn })", to: 'kmsMasterKeyId: "alias/aws/sns"' },
    { file: "policies.ts", from: 'Action: "sqs:*"', to: 'Action: "SQS:*"' },
    { file: "policies.ts", from: '[{ Effect: "Allow", Action: "sts:AssumeRole"', to: '[{ Sid: "Trust", Effect: "Allow", Action: "sts:AssumeRole"' },
    { file: "policies.ts", from: '{ Effect: "Allow", Action: ["logs:CreateLogStream"', to: '{ Sid: "Logs", Effect: "Allow", Action: ["logs:CreateLogStream"' },
    { file: "producer-api.ts", from: "name: `${deployment.prefix}-producers`", to: "name: `${deployment.prefix}-senders`" },
    { file: "producer-api.ts", from: "pathPart: pathPart(route.path)", to: "pathPart: `${pathPart(route.path)}-2`" },
    { file: "producer-api.ts", from: "validateRequestParameters: false", to: "validateRequestParameters: true" },
    { file: "producer-api.ts", from: ", requestValidatorId: validator.id", to: "" },
    { file: "producer-api.ts", from: "\"'application/x-www-form-urlencoded'\"", to: "\"'application/x-www-form-urlencoded; charset=utf-8'\"" },
    { file: "producer-api.ts", from: "not accepted; send it again", to: "not accepted, send it again" },
    { file: "producer-api.ts", from: "() => false", to: "() => true" },
    { file: "producer-api.ts", from: "xrayTracingEnabled: true", to: "xrayTracingEnabled: false" },
    { file: "queue.ts", from: "14 * 24 * 3600", to: "13 * 24 * 3600" },
    { file: "queue.ts", from: 'redrivePermission: "byQueue",\n                    sourceQueueArns: [notifications.arn],', to: 'redrivePermission: "allowAll",' },
    { file: "replayer.ts", from: "Has the replays queued", to: "Queues the replays" },
    { file: "replayer.ts", from: "{ rule: sweep.name, arn: this.service.function.arn }", to: "{ rule: sweep.name, arn: dispatcher.service.function.arn }" },
    { file: "storage.ts", from: "pointInTimeRecovery: { enabled: settings.production }", to: "pointInTimeRecovery: { enabled: true }" },
    { file: "token-api.ts", from: 'payloadFormatVersion: "2.0"', to: 'payloadFormatVersion: "1.0"' },
    { file: "websocket-api.ts", from: "name: `${deployment.prefix}-clients`", to: "name: `${deployment.prefix}-listeners`" },
    { file: "websocket-api.ts", from: "name: `${this.deployment.prefix}-handshake`", to: "name: `${this.deployment.prefix}-handshakes`" },
    { file: "websocket-api.ts", from: "{ routeResponseSelectionExpression: DEFAULT }", to: "{}" },
];

/** Changes an input of the producers' integration that replaces it. */
export const REPLACED_INTEGRATION: readonly Edit[] = [
    { file: "producer-api.ts", from: 'passthroughBehavior: "NEVER"', to: 'passthroughBehavior: "WHEN_NO_TEMPLATES"' },
];

/** Copies the program to a folder in `root`, makes the edits in the copy, and returns the folder of its Pulumi.yaml. */
export function variant(root: string, edits: readonly Edit[]): string {
    const repository = mkdtempSync(join(root, "variant-"));
    const copy = join(repository, "pulumi");
    const installed = join(PROGRAM, "node_modules");
    cpSync(PROGRAM, copy, { recursive: true, filter: (path) => path !== installed });
    symlinkSync(installed, join(copy, "node_modules"));
    symlinkSync(join(REPOSITORY, "contracts"), join(repository, "contracts"));
    for (const { file, from, to } of edits) {
        const path = join(copy, "src", file);
        const before = readFileSync(path, "utf8");
        if (before.split(from).length !== 2) {
            throw new Error(`${file} must contain ${JSON.stringify(from)} exactly once`);
        }
        writeFileSync(path, before.replace(from, () => to));
    }
    return copy;
}
