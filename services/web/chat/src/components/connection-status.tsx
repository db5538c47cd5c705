import type { JSX } from "preact";
import type { Connection } from "../state/types.ts";

interface Props {
    readonly connection: Connection;
    readonly goOffline: () => void;
}

const LABELS: Readonly<Record<Connection["status"], string>> = {
    open: "Connected",
    connecting: "Connecting…",
    lost: "Not connected",
    offline: "Offline",
};

/** The state of the connection in a word, and the button to go offline. */
export function ConnectionStatus({ connection: { status }, goOffline }: Props): JSX.Element {
    return (
        <div class="status">
            <span class={`lamp ${status}`} aria-hidden="true" />
            <span class="status-label">{LABELS[status]}</span>
            {status !== "offline" && (
                <button type="button" onClick={goOffline} disabled={status === "connecting"}>
                    Go offline
                </button>
            )}
        </div>
    );
}
