import { clock, dateAndTime, timeOfDay } from "@tidings/common/format";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Session } from "../session/session.ts";
import type { State } from "../state/types.ts";
import { useNow } from "../store.ts";

const MINUTE = 60_000;

/** When the end of a login is near, in milliseconds. */
const SOON = 5 * MINUTE;

/** Times to choose from, in minutes. */
const TIMES = [1, 5, 15, 30, 60];

interface Props {
    readonly state: State;
    readonly session: Session;
}

/** Since when one is connected, how long the login lasts, when to disconnect, and the way out. */
export function SessionPanel({ state, session }: Props): JSX.Element {
    const now = useNow();
    const { link } = state;
    const { expiresAt, handshake } = session.credential;
    const left = expiresAt === undefined ? Infinity : expiresAt - now;
    return (
        <section class="session" aria-labelledby="session">
            <h2 id="session">Your session</h2>
            <dl>
                <dt>Connected</dt>
                <dd>
                    {link.status === "open" ? (
                        <>
                            <span class="numbers" role="timer" aria-label="Connected for">
                                {clock(now - link.since)}
                            </span>{" "}
                            <span class="faint">
                                since <span title={dateAndTime(link.since)}>{timeOfDay(link.since)}</span>
                            </span>
                        </>
                    ) : (
                        "no"
                    )}
                </dd>
                <dt>Login ends</dt>
                <dd class={left < SOON ? "warn" : undefined}>
                    {expiresAt === undefined ? (
                        "never"
                    ) : (
                        <>
                            in{" "}
                            <span class="numbers" role="timer" aria-label="Login ends in">
                                {clock(left)}
                            </span>{" "}
                            <span class="faint">at {timeOfDay(expiresAt)}</span>
                        </>
                    )}
                </dd>
                <dt>Connects by</dt>
                <dd>{handshake === "token" ? "a single-use token" : "the login’s JSON Web Token"}</dd>
            </dl>
            {left < SOON && (
                <p class="warn" role="status">
                    Your login ends soon. Then you are logged out; what is sent to you is held until you log in again.
                </p>
            )}
            <AutoDisconnect session={session} now={now} />
            <button
                type="button"
                class="log-out"
                onClick={() => {
                    session.end("logged-out");
                }}
            >
                Log out
            </button>
        </section>
    );
}

/** When to go offline without being told again. */
function AutoDisconnect({ session, now }: { readonly session: Session; readonly now: number }): JSX.Element {
    const { disconnectAfter, disconnectAt } = session.settings;
    const chosen = disconnectAfter / MINUTE;
    const [own, setOwn] = useState(chosen > 0 && !TIMES.includes(chosen));
    const [minutes, setMinutes] = useState(String(chosen > 0 ? chosen : 10));
    return (
        <div class="auto">
            <label>
                Go offline by itself
                <select
                    value={own ? "own" : String(chosen)}
                    onChange={({ currentTarget: { value } }) => {
                        setOwn(value === "own");
                        if (value !== "own") session.disconnectAfter(Number(value) * MINUTE);
                    }}
                >
                    <option value="0">never</option>
                    {TIMES.map((time) => (
                        <option key={time} value={String(time)}>
                            after {time === 60 ? "1 hour" : time === 1 ? "1 minute" : `${time} minutes`}
                        </option>
                    ))}
                    <option value="own">after another time…</option>
                </select>
            </label>
            {own && (
                <form
                    class="own-time"
                    aria-label="Another time"
                    onSubmit={(event) => {
                        event.preventDefault();
                        session.disconnectAfter(Number(minutes) * MINUTE);
                    }}
                >
                    <label>
                        Minutes
                        <input
                            type="number"
                            name="minutes"
                            min={1}
                            max={1440}
                            step={1}
                            required
                            value={minutes}
                            onInput={({ currentTarget }) => {
                                setMinutes(currentTarget.value);
                            }}
                        />
                    </label>
                    <button type="submit">Set</button>
                </form>
            )}
            {disconnectAt !== undefined && (
                <p class="faint">
                    in{" "}
                    <span class="numbers" role="timer" aria-label="Goes offline in">
                        {clock(disconnectAt - now)}
                    </span>
                </p>
            )}
        </div>
    );
}
