import type { Api } from "../api.ts";
import { usePolled } from "../hooks.ts";
import { type Accepted, type Life, isOver, mood, stateWords, steps } from "../state/life.ts";
import { userAddress } from "../state/route.ts";
import { exactTime, sequence } from "../state/words.ts";

/** How often something that changes soon is asked about, and something that may take long. */
const [SOON, LATER] = [400, 2_000];

interface Properties {
    readonly api: Api;
    readonly user: string;
    readonly id: string;
    readonly accepted?: Accepted;
}

/** What becomes of a notification, as it happens. */
export function LifeOf({ api, user, id, accepted }: Properties) {
    const { value, problem } = usePolled(`${user} ${id}`, () => api.follow(user, id), pause);
    // Until the server has been asked, it is known to have been accepted.
    const state = value?.state ?? (accepted === undefined ? undefined : "queued");
    const title = state === undefined ? "Looking …" : stateWords(state);
    const known = sequence(value?.sequence ?? accepted?.sequence ?? "");
    return (
        <article class="life">
            <h3 class={state === undefined ? undefined : mood(state)}>{title}</h3>
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
                {known !== "" && (
                    <>
                        <dt>Sequence</dt>
                        <dd class="numbers">{known}</dd>
                    </>
                )}
            </dl>
            <ol class="steps">
                {steps(value, accepted).map(({ what, words, at, detail }, index) => (
                    <li key={`${what}-${index}`} class={what}>
                        <span>{words}</span>
                        <span class="numbers when">{at === undefined ? "now" : exactTime(at)}</span>
                        {detail !== undefined && <span class="note">{detail}</span>}
                    </li>
                ))}
            </ol>
            {value?.deadLetter !== undefined && (
                <p>
                    <a href="#/dead-letters">Redrive it or drop it</a> among the dead letters.
                </p>
            )}
            {value?.notKnown.map((sentence) => (
                <p key={sentence} class="faint small">
                    {sentence}
                </p>
            ))}
            {problem !== undefined && (
                <p class="bad" role="alert">
                    The server does not say more: {problem}.
                </p>
            )}
        </article>
    );
}

function pause(life: Life | undefined): number | undefined {
    if (life === undefined) return LATER;
    if (isOver(life.state)) return undefined;
    return life.state === "queued" || life.state === "pushed" ? SOON : LATER / 2;
}
