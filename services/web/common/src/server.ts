/** Error of a request to the server: a problem document (RFC 9457), or no answer at all. */
export class Problem extends Error {
    override readonly name = "Problem";

    constructor(
        /** HTTP status, or 0 if the server could not be reached. */
        readonly status: number,
        message: string,
        options?: ErrorOptions,
    ) {
        super(message, options);
    }
}

/** Options of a request. */
export interface RequestOptions {
    /** HTTP method (`GET`, or `POST` with a body). */
    readonly method?: "GET" | "POST" | "DELETE";
    /** Body, sent as JSON. */
    readonly body?: unknown;
    /** API key or JSON Web Token. */
    readonly bearer?: string;
}

/**
 * Returns the address of a path of the server, which itself may be below a path. A page that is not at the server's root
 * names the way there in the attribute `data-root` of its element `html`.
 */
export function serverUrl(path: string): URL {
    const root = new URL(document.documentElement.dataset["root"] ?? "./", location.href);
    return new URL(path.replace(/^\//, ""), root);
}

/**
 * Sends a request to the server of the page.
 *
 * @returns the JSON of the answer, or `undefined` if the answer is empty
 * @throws Problem if the server can't be reached or answers with an error
 */
export async function request(path: string, { method, body, bearer }: RequestOptions = {}): Promise<unknown> {
    const headers = new Headers({ Accept: "application/json" });
    if (bearer !== undefined) headers.set("Authorization", `Bearer ${bearer}`);
    if (body !== undefined) headers.set("Content-Type", "application/json");
    const init: RequestInit = { method: method ?? (body === undefined ? "GET" : "POST"), headers };
    if (body !== undefined) init.body = JSON.stringify(body);
    let answer: Response;
    let text: string;
    try {
        answer = await fetch(serverUrl(path), init);
        text = await answer.text();
    } catch (cause) {
        throw new Problem(0, "the server can't be reached", { cause });
    }
    if (!answer.ok) throw new Problem(answer.status, detail(text) ?? `the server answered ${answer.status}`);
    return text === "" ? undefined : JSON.parse(text);
}

/** Returns the `detail` of a problem document. */
function detail(text: string): string | undefined {
    try {
        const problem: unknown = JSON.parse(text);
        if (typeof problem === "object" && problem !== null && "detail" in problem) {
            return typeof problem.detail === "string" ? problem.detail : undefined;
        }
    } catch {
        // A proxy between the page and the server may answer with something else.
    }
    return undefined;
}
