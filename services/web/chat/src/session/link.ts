import type { Disconnect, State as ClientState } from "@tidings/client";
import type { Link } from "../state/types.ts";

/** What the page shows of the client's state; nothing of its end, which the page brings about itself. */
export function linkOf(state: ClientState, now: number): Link | undefined {
    switch (state.status) {
        case "open":
            return { status: "open", since: state.since };
        case "connecting":
            return { status: "connecting", failures: state.failures };
        case "waiting": {
            const { reason, nextAttemptAt, failures } = state;
            const link = { status: "lost", since: now, why: wordsFor(reason), failures } as const;
            return nextAttemptAt === undefined ? link : { ...link, nextAttemptAt };
        }
        case "closed":
            return undefined;
    }
}

function wordsFor({ why, code, message }: Disconnect): string {
    switch (why) {
        case "offline":
            return "This device has no network.";
        case "no-token":
            return "The server can't be reached, or gives no access right now.";
        case "refused":
            return "The server can't be reached, or refuses the connection.";
        case "closed":
            return message === undefined || message === ""
                ? `The server closed the connection (${code ?? 1000}).`
                : `The server closed the connection: ${message}.`;
        case "silent":
            return "The server stopped answering.";
        case "behind":
            return "More arrived than this page could show; it catches up.";
        case "broken":
        case "requested":
        case "forbidden":
            return "The connection broke.";
    }
}
