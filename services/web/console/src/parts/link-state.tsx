import { type Feed, isStale } from "../state/feed.ts";
import { timeWithSeconds } from "../state/words.ts";

/** Says how fresh the figures are. */
export function LinkState({ feed, now }: { readonly feed: Feed; readonly now: number }) {
    const { how, words } = told(feed, now);
    return (
        <p class={`link ${how}`} role="status">
            <span class="dot" aria-hidden="true" />
            {words}
        </p>
    );
}

function told(feed: Feed, now: number): { how: string; words: string } {
    const { link, receivedAt } = feed;
    const newest = feed.snapshots.at(-1)?.at;
    const since = newest === undefined ? "" : `, figures of ${timeWithSeconds(newest)}`;
    if (receivedAt !== undefined && !isStale(feed, now)) {
        if (link.how === "live") return { how: "live", words: "Live" };
        return { how: "slow", words: "Not live, asking for figures" };
    }
    if (link.how === "lost") return { how: "lost", words: `Connection lost${since}` };
    if (receivedAt === undefined) return { how: "slow", words: "Connecting" };
    return { how: "lost", words: `No news${since}` };
}
