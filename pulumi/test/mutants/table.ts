/** A mistake that somebody could make, and the check that has to find it. */
export interface Mutant {
    readonly mistake: string;
    /** Where, below pulumi/. */
    readonly file: string;
    /** What stands there, once. */
    readonly from: string;
    readonly to: string;
    /** The test file, below test/, and the whole name of the test. */
    readonly check: readonly [file: string, test: string];
}

export const MUTANTS: readonly Mutant[] = [
    {
        mistake: "the queue's name does not end as that of a FIFO queue",
        file: "src/queue.ts",
        from: 'const FIFO_SUFFIX = ".fifo"',
        to: 'const FIFO_SUFFIX = "-fifo"',
        check: ["queue", "queues of dev notifications and dead letters are FIFO with high throughput, and are named so"],
    },
    {
        mistake: "the same, and only cfn-lint looks",
        file: "src/queue.ts",
        from: 'const FIFO_SUFFIX = ".fifo"',
        to: 'const FIFO_SUFFIX = "-fifo"',
        check: ["cloudformation", "dev as a CloudFormation template is accepted by cfn-lint"],
    },
    {
        mistake: "messages are visible again before the dispatcher's time is over",
        file: "src/queue.ts",
        from: "                visibilityTimeoutSeconds,\n",
        to: "                visibilityTimeoutSeconds: visibilityTimeoutSeconds / 6,\n",
        check: ["queue", "queues of dev visibility is at least six times the dispatcher's timeout"],
    },
    {
        mistake: "there is no dead-letter queue",
        file: "src/queue.ts",
        from: "                redrivePolicy: pulumi.jsonStringify({ deadLetterTargetArn: this.deadLetters.arn, maxReceiveCount }),\n",
        to: "                ...(maxReceiveCount > 0 ? {} : {}),\n",
        check: ["queue", "queues of dev what can't be delivered goes to the dead-letter queue, which takes from no other"],
    },
    {
        mistake: "stream records that fail for good are forgotten",
        file: "src/replayer.ts",
        from: "                destinationConfig: { onFailure: { destinationArn: queue.replayFailures.arn } },\n",
        to: "",
        check: ["queue", "queues of dev the stream invokes the replayer as the contract says, and what fails for good is put aside"],
    },
    {
        mistake: "the event source does not wait for the role's rights",
        file: "src/dispatcher.ts",
        from: "{ parent: this, dependsOn: this.service.policy }",
        to: "{ parent: this }",
        check: ["queue", "queues of dev event sources wait for the rights that they are tried with"],
    },
    {
        mistake: "the stream has whole rows",
        file: "src/storage.ts",
        from: "streamViewType: table.stream }",
        to: 'streamViewType: "NEW_IMAGE" }',
        check: ["storage", "storage of dev tables are those of the contract, with their keys, TTL and stream"],
    },
    {
        mistake: "tables are not encrypted with KMS",
        file: "src/storage.ts",
        from: "serverSideEncryption: { enabled: true }",
        to: "serverSideEncryption: { enabled: false }",
        check: ["storage", "storage of dev tables are encrypted with a key of KMS"],
    },
    {
        mistake: "tables in prod can be deleted by Pulumi",
        file: "src/storage.ts",
        from: "{ parent: this, protect: settings.production }",
        to: "{ parent: this }",
        check: ["storage", "data of prod is protected from deletion, and tables can be restored"],
    },
    {
        mistake: "a stack to try things out in can't be destroyed",
        file: "src/storage.ts",
        from: "deletionProtectionEnabled: settings.production",
        to: "deletionProtectionEnabled: true",
        check: ["storage", "dev can be destroyed: nothing is protected"],
    },
    {
        mistake: "a role lacks a permission",
        file: "src/policies.ts",
        from: "needed.map(",
        to: "needed.slice(1).map(",
        check: ["functions", "functions of dev may do what the contract says, on the resources it names, and write logs and traces"],
    },
    {
        mistake: "a policy is for all resources",
        file: "src/producer-api.ts",
        from: 'Action: "sqs:SendMessage", Resource: queue.arn',
        to: 'Action: "sqs:SendMessage", Resource: "*"',
        check: ["functions", "functions of dev no policy allows a wildcard, but for actions that AWS has no resource for"],
    },
    {
        mistake: "a policy is for all actions",
        file: "src/producer-api.ts",
        from: 'Action: "sqs:SendMessage", Resource: queue.arn',
        to: 'Action: "sqs:*", Resource: queue.arn',
        check: ["functions", "functions of dev no policy allows a wildcard, but for actions that AWS has no resource for"],
    },
    {
        mistake: "a variable is not set",
        file: "src/policies.ts",
        from: "if (value !== undefined) {",
        to: 'if (value !== undefined && resource !== "mailboxTable") {',
        check: ["functions", "functions of dev have the variables that they read, no others, each naming its own resource"],
    },
    {
        mistake: "a variable names another resource",
        file: "src/dispatcher.ts",
        from: "deadLetterQueue: queueTarget(queue.deadLetters)",
        to: "deadLetterQueue: queueTarget(queue.notifications)",
        check: ["functions", "functions of dev have the variables that they read, no others, each naming its own resource"],
    },
    {
        mistake: "a function is not given a table that it needs",
        file: "src/ws-edge.ts",
        from: ', mailboxTable: storage.target("mailbox")',
        to: "",
        check: ["run", "the entry point, run by Pulumi's own program runner deploys dev, with all that the rules were tried on"],
    },
    {
        mistake: "a variable is mis-spelt in a stack's configuration",
        file: "Pulumi.dev.yaml",
        from: "TIDINGS_LOG=debug",
        to: "TIDINGS_LGO=debug",
        check: ["run", "the entry point, run by Pulumi's own program runner deploys dev, with all that the rules were tried on"],
    },
    {
        mistake: "functions have the wrong runtime",
        file: "src/service-function.ts",
        from: 'runtime: "provided.al2023"',
        to: 'runtime: "nodejs22.x"',
        check: ["functions", "functions of dev are those of the contract, on arm64 and the runtime for binaries, from the archives"],
    },
    {
        mistake: "functions can be called by anybody at a URL",
        file: "src/service-function.ts",
        from: "        this.registerOutputs({ name: this.function.name });\n",
        to: '        new aws.lambda.FunctionUrl(name, { functionName: this.function.name, authorizationType: "NONE" }, parent);\n        this.registerOutputs({ name: this.function.name });\n',
        check: ["doors", "doors of dev nothing is public but the three doors"],
    },
    {
        mistake: "a route is missing",
        file: "src/websocket-api.ts",
        from: "contract.routes.flatMap(",
        to: "contract.routes.slice(1).flatMap(",
        check: ["doors", "doors of dev every route of the contract has an integration with the edge and a permission"],
    },
    {
        mistake: "a route may not invoke the edge",
        file: "src/websocket-api.ts",
        from: "${this.api.executionArn}/${STAGE}/${routeKey}`);",
        to: "${this.api.executionArn}/${STAGE}/POST/${routeKey}`);",
        check: ["doors", "doors of dev every route of the contract has an integration with the edge and a permission"],
    },
    {
        mistake: "API Gateway answers handshakes itself, for want of a query parameter",
        file: "src/websocket-api.ts",
        from: "                authorizerUri: service.function.invokeArn,\n",
        to: '                authorizerUri: service.function.invokeArn,\n                identitySources: ["route.request.querystring.token"],\n',
        check: ["doors", "doors of dev handshakes are decided by our authorizer, which has no identity sources"],
    },
    {
        mistake: "access logs have what tokens come in",
        file: "src/access-logs.ts",
        from: '    requestId: "$context.requestId",\n',
        to: '    requestId: "$context.requestId",\n    path: "$context.path",\n',
        check: ["doors", "doors of dev requests are logged without what tokens and notifications come in"],
    },
    {
        mistake: "anybody may send notifications",
        file: "src/producer-api.ts",
        from: 'authorization: "AWS_IAM"',
        to: 'authorization: "NONE"',
        check: ["doors", "doors of dev producers are known by IAM, and their bodies are validated"],
    },
    {
        mistake: "errors of the queue are answered with 202",
        file: "src/producer-api.ts",
        from: 'statusCode: "202", selectionPattern: "2\\\\d{2}"',
        to: 'statusCode: "202"',
        check: ["doors", "doors of dev an error of the queue is never answered as a success"],
    },
    {
        mistake: "nobody is told of dead letters",
        file: "src/observability.ts",
        from: "dimensions: { QueueName: queues.deadLetters.name }",
        to: "dimensions: { QueueName: queues.notifications.name }",
        check: ["observability", "observability of dev ApproximateNumberOfMessagesVisible of dead-letters.fifo has an alarm"],
    },
    {
        mistake: "resources have no tags",
        file: "src/gateway.ts",
        from: "{ transformations: [tagging(tags)] }",
        to: "{ aliases: tags.stack === tagging.name ? [] : [] }",
        check: ["observability", "observability of dev every resource that can have tags says its project and stack"],
    },
    {
        mistake: "a value is one that AWS does not take",
        file: "src/identity.ts",
        from: "temporaryPasswordValidityDays: 7",
        to: "temporaryPasswordValidityDays: 900",
        check: ["cloudformation", "dev as a CloudFormation template is accepted by cfn-lint"],
    },
    {
        mistake: "producers may send what the contract refuses",
        file: "src/producer-model.ts",
        from: '"required", "pattern"',
        to: '"pattern"',
        check: ["producer-model", "the model says what the contract says, in draft 4"],
    },
];
