/** What the server says when it does not do what it was asked: a problem document (RFC 9457). */
export class Problem extends Error {
    override readonly name = "Problem";

    constructor(
        /** The HTTP status; 0 when the server could not be reached. */
        readonly status: number,
        message: string,
        options?: ErrorOptions,
    ) {
        super(message, options);
    }
}

/** A request to the server that the page came from. */
export interface Ask {
    /** `GET` when absent, or `POST` with a body. */
    readonly method?: "GET" | "POST" | "DELETE";
    /** Sent as JSON. */
    readonly body?: unknown;
    /** An API key, or a JSON Web Token. */
    readonly bearer?: string;
}

/**
 * Asks the server; gives the JSON of its answer, or `undefined` where it has none.
 *
 * @throws Problem when it can't be reached, or refuses
 */
export async function ask(path: string, { method, body, bearer }: Ask = {}): Promise<unknown> {
    const headers = new Headers({ Accept: "application/json" });
    if (bearer !== undefined) headers.set("Authorization", `Bearer ${bearer}`);
    if (body !== undefined) headers.set("Content-Type", "application/json");
    const request: RequestInit = { method: method ?? (body === undefined ? "GET" : "POST"), headers };
    if (body !== undefined) request.body = JSON.stringify(body);
    let answer: Response;
    let text: string;
    try {
        answer = await fetch(path, request);
        text = await answer.text();
    } catch (cause) {
        throw new Problem(0, "the server can't be reached", { cause });
    }
    if (!answer.ok) throw new Problem(answer.status, detail(text) ?? `the server answered ${answer.status}`);
    return text === "" ? undefined : JSON.parse(text);
}

/** The sentence of a problem document. */
function detail(text: string): string | undefined {
    try {
        const problem: unknown = JSON.parse(text);
        if (typeof problem === "object" && problem !== null && "detail" in problem) {
            return typeof problem.detail === "string" ? problem.detail : undefined;
        }
    } catch {
        // Whatever stands between the page and the server may answer something else.
    }
    return undefined;
}
