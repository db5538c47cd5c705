import { useEffect, useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { useRoute } from "../hooks.ts";
import { Live } from "../live.ts";
import { LinkState } from "../parts/link-state.tsx";
import { EMPTY, isStale } from "../state/feed.ts";
import type { Route } from "../state/route.ts";
import { count } from "../state/words.ts";
import { DeadLettersView } from "./dead-letters.tsx";
import { FollowView } from "./follow.tsx";
import { Overview } from "./overview.tsx";
import { SendView } from "./send.tsx";
import { UserView } from "./user.tsx";

const PLACES = [
    { view: "overview", address: "#/", label: "Overview" },
    { view: "user", address: "#/user", label: "Users" },
    { view: "send", address: "#/send", label: "Send a test" },
    { view: "dead-letters", address: "#/dead-letters", label: "Dead letters" },
] as const;

interface Properties {
    readonly api: Api;
    /** Forgets the key; says why if it is refused. */
    readonly leave: (why?: string) => void;
}

/** The console of an operator who is let in. */
export function Console({ api, leave }: Properties) {
    const [feed, setFeed] = useState(EMPTY);
    const [now, setNow] = useState(() => Date.now());
    const shown = useRoute();
    useEffect(() => {
        const live = new Live(api, (next) => {
            setFeed(next);
            setNow(Date.now());
        });
        return () => {
            live.close();
        };
    }, [api]);
    const { link } = feed;
    useEffect(() => {
        if (link.how === "refused") leave(`You were logged out: ${link.message}.`);
    }, [link, leave]);
    const deadLetters = feed.snapshots.at(-1)?.deadLetters ?? 0;
    const here = shown.view === "follow" ? "user" : shown.view;
    return (
        <>
            <header class="top">
                <div class="inner">
                    <h1>Tidings console</h1>
                    <LinkState feed={feed} now={now} />
                    <button
                        class="quiet"
                        onClick={() => {
                            leave();
                        }}
                    >
                        Log out
                    </button>
                    <nav aria-label="Console">
                        {PLACES.map(({ view, address, label }) => (
                            <a key={view} href={address} aria-current={view === here ? "page" : undefined}>
                                {label}
                                {view === "dead-letters" && deadLetters > 0 && (
                                    <span class="badge numbers">
                                        {count(deadLetters)}
                                        <span class="visually-hidden"> waiting</span>
                                    </span>
                                )}
                            </a>
                        ))}
                    </nav>
                </div>
            </header>
            <main class="inner">
                {shown.view === "overview" ? (
                    <Overview feed={feed} stale={isStale(feed, now)} />
                ) : (
                    <View api={api} shown={shown} now={now} deadLetters={deadLetters} />
                )}
            </main>
        </>
    );
}

interface ViewProperties {
    readonly api: Api;
    readonly shown: Exclude<Route, { view: "overview" }>;
    readonly now: number;
    readonly deadLetters: number;
}

function View({ api, shown, now, deadLetters }: ViewProperties) {
    switch (shown.view) {
        case "user":
            return <UserView api={api} user={shown.user} now={now} />;
        case "send":
            return <SendView api={api} />;
        case "follow":
            return <FollowView api={api} user={shown.user} id={shown.id} />;
        case "dead-letters":
            return <DeadLettersView api={api} known={deadLetters} now={now} />;
    }
}
