import { clock, dateAndTime, duration, timeOfDay } from "@tidings/common/format";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Session } from "../session/session.ts";
import type { State } from "../state/types.ts";
import { useNow } from "../store.ts";

const MINUTE = 60_000;

/** Remaining time at which the page warns that the login expires, in milliseconds. */
const SOON = 5 * MINUTE;

/** Times to choose from for going offline automatically, in minutes. */
const TIMES = [1, 5, 15, 30, 60];

interface Props {
    readonly state: State;
    readonly session: Session;
}

/** The session: time online, expiry of the login, going offline automatically, and the logout. */
export function SessionPanel({ state, session }: Props): JSX.Element {
    const now = useNow();
    const { connection } = state;
    const { expiresAt, handshake } = session.credential;
    const left = expiresAt === undefined ? Infinity : expiresAt - now;
    return (
        <section class="session" aria-labelledby="session">
            <h2 id="session">Session</h2>
            <dl>
                <dt>Time online</dt>
                <dd>
                    {connection.status === "open" ? (
                        <>
                            <span class="numbers" role="timer" aria-label="Time online">
                                {clock(now - connection.since)}
                            </span>{" "}
                            <span class="faint">
                                since <span title={dateAndTime(connection.since)}>{timeOfDay(connection.since)}</span>
                            </span>
                        </>
                    ) : (
                        "Not connected"
                    )}
                </dd>
                <dt>Login expires</dt>
                <dd class={left < SOON ? "warn" : undefined}>
                    {expiresAt === undefined ? (
                        "never"
                    ) : (
                        <>
                            in{" "}
                            <span class="numbers" role="timer" aria-label="Time until the login expires">
                                {clock(left)}
                            </span>{" "}
                            <span class="faint">at {timeOfDay(expiresAt)}</span>
                        </>
                    )}
                </dd>
                <dt>Credential</dt>
                <dd>{handshake === "token" ? "Single-use token" : "JSON Web Token"}</dd>
            </dl>
            {left < SOON && (
                <p class="warn" role="status">
                    Your login expires soon. Then you are logged out, and direct messages to you are held until you log in
                    again.
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

/** The time after which to go offline automatically. */
function AutoDisconnect({ session, now }: { readonly session: Session; readonly now: number }): JSX.Element {
    const { disconnectAfter, disconnectAt } = session.settings;
    const chosen = disconnectAfter / MINUTE;
    const [custom, setCustom] = useState(chosen > 0 && !TIMES.includes(chosen));
    const [minutes, setMinutes] = useState(String(chosen > 0 ? chosen : 10));
    return (
        <div class="auto">
            <label>
                Go offline automatically
                <select
                    value={custom ? "custom" : String(chosen)}
                    onChange={({ currentTarget: { value } }) => {
                        setCustom(value === "custom");
                        if (value !== "custom") session.disconnectAfter(Number(value) * MINUTE);
                    }}
                >
                    <option value="0">Never</option>
                    {TIMES.map((time) => (
                        <option key={time} value={String(time)}>
                            After {duration(time * MINUTE)}
                        </option>
                    ))}
                    <option value="custom">After another time…</option>
                </select>
            </label>
            {custom && (
                <form
                    class="custom-time"
                    aria-label="Time until going offline"
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
                    <span class="numbers" role="timer" aria-label="Offline in">
                        {clock(disconnectAt - now)}
                    </span>
                </p>
            )}
        </div>
    );
}
