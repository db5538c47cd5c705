import type { Mutant } from "./mutant.js";

/** Mistakes in the queues. */
export const QUEUE_MUTANTS: readonly Mutant[] = [
    {
        mistake: "the number of queues changes within an epoch",
        file: "src/queue.ts",
        from: "queues !== deployed.queues && queueEpoch === deployed.epoch",
        to: "queues < deployed.queues && queueEpoch < deployed.epoch",
        check: ["several-queues", "the number of an existing stack's queues does not change within an epoch"],
    },
    {
        mistake: "queues are deleted with their dead letters without a question",
        file: "src/queue.ts",
        from: "emptiedForEpoch !== queueEpoch",
        to: "emptiedForEpoch > queueEpoch",
        check: ["several-queues", "the number of an existing stack's queues becomes lower only when the queues that go are empty"],
    },
    {
        mistake: "a stack whose first queue has lost its tags starts from epoch 0",
        file: "src/queue.ts",
        from: "...tags,\n                maxMessageSize: LARGEST_LETTER",
        to: "maxMessageSize: LARGEST_LETTER",
        check: ["several-queues", "the number of an existing stack's queues is remembered when one queue has lost its tags"],
    },
    {
        mistake: "the epoch of a stack goes back",
        file: "src/queue.ts",
        from: "queueEpoch < deployed.epoch",
        to: "queueEpoch < 0",
        check: ["several-queues", "the number of an existing stack's queues never goes back to an earlier epoch"],
    },
    {
        mistake: "the queues do not remember their number",
        file: "src/queue.ts",
        from: "[QUEUES_TAG]: String(queues), ",
        to: "",
        check: ["several-queues", "the number of an existing stack's queues is remembered when one queue has lost its tags"],
    },
    {
        mistake: "functions know the first of several queues alone",
        file: "src/queue.ts",
        from: 'urls.join(",")',
        to: 'urls[0] ?? ""',
        check: ["several-queues", "three queues of dev functions know all of them in order, and may use all of them"],
    },
    {
        mistake: "functions may use the first of several queues alone",
        file: "src/queue.ts",
        from: "arn: pulumi.all(queues.map(({ arn }) => arn))",
        to: 'arn: only?.arn ?? ""',
        check: ["several-queues", "three queues of dev functions know all of them in order, and may use all of them"],
    },
    {
        mistake: "the queue's name lacks the ending of FIFO queues",
        file: "src/queue.ts",
        from: 'const FIFO_SUFFIX = ".fifo"',
        to: 'const FIFO_SUFFIX = "-fifo"',
        check: ["queue", "queues of dev notifications and dead letters have FIFO queues"],
    },
    {
        mistake: "the queue's name lacks the ending of FIFO queues, found by cfn-lint",
        file: "src/queue.ts",
        from: 'const FIFO_SUFFIX = ".fifo"',
        to: 'const FIFO_SUFFIX = "-fifo"',
        check: ["cloudformation", "cfn-lint accepts dev as a CloudFormation template"],
    },
    {
        mistake: "a dead-letter queue takes no larger messages than a notifications queue",
        file: "src/queue.ts",
        from: "const LARGEST_LETTER = 1024 * 1024",
        to: "const LARGEST_LETTER = 256 * 1024",
        check: ["queue", "queues of dev a dead letter has room for any entry and the reason"],
    },
    {
        mistake: "the visibility timeout is shorter than six times the dispatcher's timeout",
        file: "src/queue.ts",
        from: "                visibilityTimeoutSeconds,\n",
        to: "                visibilityTimeoutSeconds: visibilityTimeoutSeconds / 6,\n",
        check: ["queue", "queues of dev visibility is at least six times the dispatcher's timeout"],
    },
    {
        mistake: "there is no dead-letter queue",
        file: "src/queue.ts",
        from: "                redrivePolicy: pulumi.jsonStringify({ deadLetterTargetArn: deadLetters.arn, maxReceiveCount }),\n",
        to: "                ...(maxReceiveCount > 0 ? {} : {}),\n",
        check: ["queue", "queues of dev only the notifications queue has the dead-letter queue"],
    },
];
