import { useEffect, useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { usePolling, useRoute } from "../hooks.ts";
import { LiveMetrics } from "../live-metrics.ts";
import { FeedStatus } from "../parts/feed-status.tsx";
import { formatCount } from "../state/format.ts";
import { EMPTY, isStale } from "../state/metrics-feed.ts";
import { READ_ONLY, type Rights } from "../state/rights.ts";
import type { Route } from "../state/route.ts";
import { DeadLettersView } from "./dead-letters.tsx";
import { NotificationView } from "./notification.tsx";
import { Overview } from "./overview.tsx";
import { SendView } from "./send.tsx";
import { UserView } from "./user.tsx";

const VIEWS = [
    { view: "overview", address: "#/", label: "Overview" },
    { view: "user", address: "#/user", label: "Users" },
    { view: "send", address: "#/send", label: "Test notification" },
    { view: "dead-letters", address: "#/dead-letters", label: "Dead letters" },
] as const;

/** Delay before the rights are asked for again after a failure, in milliseconds. */
const RETRY = 2_000;

interface Props {
    readonly api: Api;
    /** Deletes the API key and shows the login, with the reason if there is one. */
    readonly logOut: (reason?: string) => void;
}

/** The console of a logged-in operator: header, navigation and the current view. */
export function Console({ api, logOut }: Props) {
    const asked = usePolling("rights", () => api.rights(), (found) => (found === undefined ? RETRY : undefined));
    const rights = asked.value ?? READ_ONLY;
    const [feed, setFeed] = useState(EMPTY);
    const [now, setNow] = useState(() => Date.now());
    const route = useRoute();
    useEffect(() => {
        const live = new LiveMetrics(api, (next) => {
            setFeed(next);
            setNow(Date.now());
        });
        return () => {
            live.close();
        };
    }, [api]);
    const { status } = feed;
    useEffect(() => {
        if (status.name === "refused") logOut(`You were logged out: ${status.message}. Enter the API key again.`);
    }, [status, logOut]);
    const deadLetters = feed.snapshots.at(-1)?.deadLetters ?? 0;
    const current = route.view === "notification" ? "user" : route.view;
    return (
        <>
            <header class="top">
                <div class="inner">
                    <h1>Tidings console</h1>
                    <FeedStatus feed={feed} now={now} />
                    <button
                        class="quiet"
                        onClick={() => {
                            logOut();
                        }}
                    >
                        Log out
                    </button>
                    <nav aria-label="Console">
                        {VIEWS.filter(({ view }) => view !== "send" || rights.send).map(({ view, address, label }) => (
                            <a key={view} href={address} aria-current={view === current ? "page" : undefined}>
                                {label}
                                {view === "dead-letters" && deadLetters > 0 && (
                                    <span class="badge numbers">
                                        {formatCount(deadLetters)}
                                        <span class="visually-hidden"> waiting</span>
                                    </span>
                                )}
                            </a>
                        ))}
                    </nav>
                </div>
            </header>
            <main class="inner">
                {route.view === "overview" ? (
                    <Overview feed={feed} stale={isStale(feed, now)} />
                ) : (
                    <View api={api} rights={rights} route={route} now={now} deadLetters={deadLetters} />
                )}
            </main>
        </>
    );
}

interface ViewProps {
    readonly api: Api;
    readonly rights: Rights;
    readonly route: Exclude<Route, { view: "overview" }>;
    readonly now: number;
    readonly deadLetters: number;
}

function View({ api, rights, route, now, deadLetters }: ViewProps) {
    switch (route.view) {
        case "user":
            return <UserView api={api} rights={rights} user={route.user} now={now} />;
        case "send":
            return <SendView api={api} rights={rights} />;
        case "notification":
            return <NotificationView api={api} rights={rights} user={route.user} id={route.id} />;
        case "dead-letters":
            return <DeadLettersView api={api} rights={rights} total={deadLetters} now={now} />;
    }
}
