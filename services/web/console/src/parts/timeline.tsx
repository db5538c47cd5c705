import type { Api } from "../api.ts";
import { usePolling } from "../hooks.ts";
import { formatSequence, timeWithMilliseconds } from "../state/format.ts";
import type { Rights } from "../state/rights.ts";
import { userAddress } from "../state/route.ts";
import { type Accepted, type Timeline, isFinal, outcomeOf, stateLabel, steps } from "../state/timeline.ts";

/** Delays between requests, in milliseconds: before a change that is expected soon, and otherwise. */
const [SHORT_DELAY, LONG_DELAY] = [400, 2_000];

interface Props {
    readonly api: Api;
    readonly rights: Rights;
    readonly user: string;
    readonly id: string;
    /** The server's answer, if this page sent the notification. */
    readonly accepted?: Accepted;
}

/** The timeline of a notification, updated while it is delivered. */
export function NotificationTimeline({ api, rights, user, id, accepted }: Props) {
    const ask = (): Promise<Timeline> => api.timeline(user, id, rights.operate);
    const { value, problem } = usePolling(`${user} ${id}`, ask, delayAfter);
    // Before the first answer, the notification is known to be accepted.
    const state = value?.state ?? (accepted === undefined ? undefined : "queued");
    const title = state === undefined ? "Loading…" : stateLabel(state);
    const shownSequence = formatSequence(value?.sequence ?? accepted?.sequence ?? "");
    return (
        <article class="timeline">
            <h3 class={state === undefined ? undefined : outcomeOf(state)}>{title}</h3>
            <p class="visually-hidden" role="status">
                {title}
            </p>
            <dl class="facts">
                <dt>Notification</dt>
                <dd class="mono">{id}</dd>
                <dt>User</dt>
                <dd>
                    <a href={userAddress(user)}>{user}</a>
                </dd>
                {shownSequence !== "" && (
                    <>
                        <dt>Sequence</dt>
                        <dd class="numbers">{shownSequence}</dd>
                    </>
                )}
            </dl>
            <ol class="steps">
                {steps(value, accepted).map(({ what, label, at, detail }, index) => (
                    <li key={`${what}-${index}`} class={what}>
                        <span>{label}</span>
                        <span class="numbers when">{at === undefined ? "now" : timeWithMilliseconds(at)}</span>
                        {detail !== undefined && <span class="note">{detail}</span>}
                    </li>
                ))}
            </ol>
            {value?.deadLetter !== undefined && (
                <p>
                    Redrive or purge it in <a href="#/dead-letters">Dead letters</a>.
                </p>
            )}
            {value?.notKnown.map((sentence) => (
                <p key={sentence} class="faint small">
                    {sentence}
                </p>
            ))}
            {problem !== undefined && (
                <p class="bad" role="alert">
                    The timeline can’t be updated: {problem}.
                </p>
            )}
        </article>
    );
}

function delayAfter(timeline: Timeline | undefined): number | undefined {
    if (timeline === undefined) return LONG_DELAY;
    if (isFinal(timeline.state)) return undefined;
    return timeline.state === "queued" || timeline.state === "pushed" ? SHORT_DELAY : LONG_DELAY / 2;
}
