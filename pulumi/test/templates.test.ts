import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { expect, test } from "vitest";

import { REFUSED_TEMPLATE, SEND_TEMPLATE } from "../src/producer-api.js";

/** Interpreter with airspeed-ext, which scripts/pulumi-check installs. */
const PYTHON = process.env["TIDINGS_TEMPLATE_PYTHON"] ?? "python3";

interface Rendered {
    readonly text: string;
    readonly status: number | null;
    readonly headers: Readonly<Record<string, string>>;
}

/** Renders a template for a body. */
function render(template: string, body: string): Rendered {
    const input = JSON.stringify([{ template, body, requestId: "request-1" }]);
    const rendered = spawnSync(PYTHON, ["-W", "ignore", join(__dirname, "templates/render.py")], { encoding: "utf8", input });
    if (rendered.error !== undefined || rendered.status !== 0) {
        throw new Error(`can't render with ${PYTHON}; scripts/pulumi-check installs what it needs\n${rendered.stderr}`, { cause: rendered.error });
    }
    const [one] = JSON.parse(rendered.stdout) as readonly Rendered[];
    if (one === undefined) {
        throw new Error("nothing was rendered");
    }
    return one;
}

/** Answers of SQS to a request in its form, in JSON and in XML, as its version 2012-11-05 has them. */
const FORMS: Readonly<Record<string, (code: string) => string>> = {
    JSON: (code) => JSON.stringify({ Error: { Code: code, Message: "Rate exceeded.", Type: "Sender" }, RequestId: "queue-1" }),
    XML: (code) => `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>Rate exceeded.</Message></Error><RequestId>queue-1</RequestId></ErrorResponse>`,
};

test.each([
    // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/troubleshooting-fifo-throttling-issues.html
    ["ThrottlingException", "JSON"],
    ["ThrottlingException", "XML"],
    ["RequestThrottled", "JSON"],
    ["RequestThrottled", "XML"],
    ["KmsThrottled", "JSON"],
    ["AWS.SimpleQueueService.NonExistentQueue", "JSON"],
    ["InvalidSecurity", "JSON"],
])("an error %s of the queue in %s is 503 for the producer", (code, form) => {
    const { text, status, headers } = render(REFUSED_TEMPLATE, FORMS[form]?.(code) ?? "");
    expect(status).toBe(503);
    expect(headers).toEqual({ "Retry-After": "1" });
    expect(JSON.parse(text)).toEqual({
        requestId: "request-1",
        type: "urn:tidings:problem:unavailable",
        title: "Service Unavailable",
        status: 503,
        detail: "not accepted; send it again",
        message: "not accepted; send it again",
    });
});

test.each([
    ["InvalidMessageContents", "JSON"],
    ["InvalidParameterValue", "JSON"],
    ["InvalidParameterValue", "XML"],
    ["MissingParameter", "JSON"],
])("a refusal %s of the queue in %s is 400 for the producer", (code, form) => {
    const { text, status, headers } = render(REFUSED_TEMPLATE, FORMS[form]?.(code) ?? "");
    expect([status, headers]).toEqual([null, {}]);
    expect(JSON.parse(text)).toMatchObject({ requestId: "request-1", type: "urn:tidings:problem:bad-request", status: 400, message: "the queue refuses this notification" });
});

test.each([
    ["alice", "alice"],
    ["bob@example.com", "bob@example.com"],
    ["!$#\"%&'()*+,-./:;<=>?@[\\]^_`{|}~", "!$#\"%&'()*+,-./:;<=>?@[\\]^_`{|}~"],
    ["two words", "u8:dHdvIHdvcmRz"],
    ["José Pérez", `u8:${Buffer.from("José Pérez").toString("base64url")}`],
    ["ÿÿ>", `u8:${Buffer.from("ÿÿ>").toString("base64url")}`],
])("the message of %s has the group %s", (userId, group) => {
    for (const [id, deduplication] of [["order-1", "order-1"], [undefined, "request-1"]] as const) {
        const body = JSON.stringify({ userId, ...(id === undefined ? {} : { id }), payload: { a: "b & c" } });
        expect(Object.fromEntries(new URLSearchParams(render(SEND_TEMPLATE, body).text))).toEqual({
            Action: "SendMessage",
            Version: "2012-11-05",
            MessageBody: body,
            MessageGroupId: group,
            MessageDeduplicationId: deduplication,
        });
    }
});
