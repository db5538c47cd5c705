import type { Disconnect, State as ClientState } from "@tidings/client";
import type { Connection } from "../state/types.ts";

/** Translates the client's state for the page. Returns `undefined` for a closed client. */
export function connectionOf(state: ClientState, now: number): Connection | undefined {
    switch (state.status) {
        case "open":
            return { status: "open", since: state.since };
        case "connecting":
            return { status: "connecting", failures: state.failures };
        case "waiting": {
            const { reason, nextAttemptAt, failures } = state;
            const lost = { status: "lost", since: now, reason: describe(reason), failures } as const;
            return nextAttemptAt === undefined ? lost : { ...lost, nextAttemptAt };
        }
        case "closed":
            return undefined;
    }
}

function describe({ why, code, message }: Disconnect): string {
    switch (why) {
        case "offline":
            return "This device has no network.";
        case "no-token":
            return "The server can't be reached, or denies access at the moment.";
        case "refused":
            return "The server can't be reached, or refuses the connection.";
        case "closed":
            return message === undefined || message === ""
                ? `The server closed the connection (code ${code ?? 1000}).`
                : `The server closed the connection: ${message}.`;
        case "silent":
            return "The server stopped answering.";
        case "behind":
            return "Messages arrived faster than this page could show them.";
        case "broken":
        case "requested":
        case "forbidden":
            return "The connection broke.";
    }
}
