import { timeWithSeconds } from "../state/format.ts";
import { type MetricsFeed, isStale } from "../state/metrics-feed.ts";

/** The status of the live metrics. */
export function FeedStatus({ feed, now }: { readonly feed: MetricsFeed; readonly now: number }) {
    const { level, label } = describe(feed, now);
    return (
        <p class={`feed-status ${level}`} role="status">
            <span class="dot" aria-hidden="true" />
            {label}
        </p>
    );
}

function describe(feed: MetricsFeed, now: number): { level: "live" | "slow" | "lost"; label: string } {
    const { status, receivedAt } = feed;
    const newest = feed.snapshots.at(-1)?.at;
    const lastUpdate = newest === undefined ? "" : `, last update ${timeWithSeconds(newest)}`;
    if (receivedAt !== undefined && !isStale(feed, now)) {
        if (status.name === "live") return { level: "live", label: "Live" };
        return { level: "slow", label: "Polling, not live" };
    }
    if (status.name === "lost") return { level: "lost", label: `Connection lost${lastUpdate}` };
    if (receivedAt === undefined) return { level: "slow", label: "Connecting…" };
    return { level: "lost", label: `No updates${lastUpdate}` };
}
