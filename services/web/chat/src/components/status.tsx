import type { JSX } from "preact";
import type { Link } from "../state/types.ts";

interface Props {
    readonly link: Link;
    readonly leave: () => void;
}

/** Whether there is a connection, in a word, and the way to end it. */
export function Status({ link, leave }: Props): JSX.Element {
    const open = link.status === "open";
    return (
        <div class="status">
            <span class={`lamp ${link.status}`} aria-hidden="true" />
            <span class="status-word">{wordFor(link)}</span>
            {link.status !== "away" && (
                <button type="button" onClick={leave} disabled={!open && link.status !== "lost"}>
                    Go offline
                </button>
            )}
        </div>
    );
}

function wordFor(link: Link): string {
    switch (link.status) {
        case "open":
            return "Connected";
        case "connecting":
            return "Connecting…";
        case "lost":
            return "Not connected";
        case "away":
            return "Offline";
    }
}
