// Runs a function as Lambda's Node runtime does: loads its module, then asks for events.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
//
//     node runtime.mjs MODULE

import { Agent, request } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

const call = (method, path, body) =>
    new Promise((resolve, reject) => {
        const headers = body === undefined ? {} : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
        const sent = request({ hostname, port, agent, method, path: `/2018-06-01/runtime/${path}`, headers }, (response) => {
            const chunks = [];
            response.on("data", (chunk) => chunks.push(chunk));
            response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
        });
        sent.on("error", reject);
        sent.end(body);
    });

const failure = (error) => JSON.stringify({ errorType: error.name, errorMessage: error.message, trace: error.stack.split("\n") });

const load = (file) => (file.endsWith(".cjs") ? createRequire(import.meta.url)(file) : import(pathToFileURL(file)));

let handler;
try {
    ({ handler } = await load(process.argv[2]));
} catch (error) {
    await call("POST", "init/error", failure(error));
    process.exit(1);
}
for (;;) {
    const { headers, body } = await call("GET", "invocation/next");
    const invocation = `invocation/${headers["lambda-runtime-aws-request-id"]}`;
    try {
        const answer = await handler(JSON.parse(body));
        await call("POST", `${invocation}/response`, JSON.stringify(answer));
    } catch (error) {
        await call("POST", `${invocation}/error`, failure(error));
    }
}
