import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Credential, Handshake } from "../login/credential.ts";
import { type Info, handshakesOf, logIn, logInAsGuest } from "../login/server.ts";
import type { Ending } from "../session/session.ts";
import { Token } from "./token.tsx";
import { inPlainWords } from "./words.ts";

const ENDINGS: Record<Ending, string> = {
    "logged-out": "You are logged out, and this tab has forgotten you. What is sent to you is held until you are back.",
    expired: "Your login has ended. Log in again to go on: what is sent to you meanwhile is held.",
    refused: "The server no longer accepts your login. Log in again to go on: what is sent to you is held.",
};

interface Props {
    readonly info: Info;
    readonly ending: Ending | undefined;
    /** A token that came with the link. */
    readonly offered: string | undefined;
    readonly loggedIn: (credential: Credential) => void;
}

/** Where people say who they are. */
export function Login({ info, ending, offered, loggedIn }: Props): JSX.Element {
    const handshakes = handshakesOf(info);
    const [handshake, setHandshake] = useState<Handshake>(handshakes[0] ?? "token");
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState<string>();
    const heading = useRef<HTMLHeadingElement>(null);
    const users = info.login.users ?? [];

    useEffect(() => {
        // After a logout the focus would be nowhere.
        if (ending !== undefined) heading.current?.focus();
    }, [ending]);

    const attempt = (login: Promise<Credential>): void => {
        setBusy(true);
        setProblem(undefined);
        login
            .then(loggedIn, (error: unknown) => {
                setProblem(inPlainWords(error));
            })
            .finally(() => {
                setBusy(false);
            });
    };

    return (
        <main class="login">
            <header class="masthead">
                <h1 ref={heading} tabIndex={-1}>
                    Tidings
                </h1>
                <p class="motto">Messages that wait for you.</p>
                <ol class="story">
                    <li>Write to someone who is here, and it arrives at once.</li>
                    <li>Write to someone who is away, and it is held for them.</li>
                    <li>When they come back it is all there: each message once, in the order it was sent.</li>
                </ol>
            </header>
            <div class="doors">
                {ending !== undefined && (
                    <p class="notice" role="status">
                        {ENDINGS[ending]}
                    </p>
                )}
                <p class="notice problem" role="alert" hidden={problem === undefined}>
                    {problem}
                </p>
                {offered !== undefined && (
                    <Token pasted={offered} handshakes={handshakes} loggedIn={loggedIn} />
                )}
                {users.length > 0 && (
                    <section aria-labelledby="as-somebody">
                        <h2 id="as-somebody">Try it as one of these</h2>
                        <p class="faint">
                            This server runs in development mode, so their passwords are no secret. Open a second
                            browser tab for the other person.
                        </p>
                        <ul class="cards">
                            {users.map(({ username, password }) => (
                                <li key={username}>
                                    <button
                                        type="button"
                                        class="card"
                                        disabled={busy}
                                        onClick={() => {
                                            attempt(logIn(username, password, handshake));
                                        }}
                                    >
                                        <span class="initial" aria-hidden="true">
                                            {username.slice(0, 1)}
                                        </span>
                                        <span>
                                            <strong>Log in as {username}</strong>{" "}
                                            <span class="faint">password: {password}</span>
                                        </span>
                                    </button>
                                </li>
                            ))}
                        </ul>
                    </section>
                )}
                <Password
                    busy={busy}
                    title={users.length > 0 ? "Or with your own name" : "Log in"}
                    submit={(username, password) => {
                        attempt(logIn(username, password, handshake));
                    }}
                />
                {info.login.guests && (
                    <section class="guest" aria-labelledby="guest">
                        <h2 id="guest">No account?</h2>
                        <button
                            type="button"
                            disabled={busy}
                            onClick={() => {
                                attempt(logInAsGuest(handshake));
                            }}
                        >
                            Continue as a guest
                        </button>
                    </section>
                )}
                <details class="advanced">
                    <summary>Other ways to log in and connect</summary>
                    {offered === undefined && (
                        <Token handshakes={handshakes} loggedIn={loggedIn} />
                    )}
                    {handshakes.length > 1 && (
                        <fieldset>
                            <legend>How a connection proves it is you</legend>
                            <Choice value="token" chosen={handshake} choose={setHandshake}>
                                A single-use token for each connection. Nothing worth stealing is sent along.
                            </Choice>
                            <Choice value="jwt" chosen={handshake} choose={setHandshake}>
                                The login’s own JSON Web Token. One request less.
                            </Choice>
                        </fieldset>
                    )}
                </details>
            </div>
        </main>
    );
}

interface PasswordProps {
    readonly busy: boolean;
    readonly title: string;
    readonly submit: (username: string, password: string) => void;
}

function Password({ busy, title, submit }: PasswordProps): JSX.Element {
    const [username, setUsername] = useState("");
    const [password, setPassword] = useState("");
    return (
        <form
            class="password"
            aria-labelledby="with-password"
            onSubmit={(event) => {
                event.preventDefault();
                submit(username.trim(), password);
            }}
        >
            <h2 id="with-password">{title}</h2>
            <label>
                User name
                <input
                    name="username"
                    autocomplete="username"
                    autocapitalize="none"
                    spellcheck={false}
                    required
                    value={username}
                    onInput={({ currentTarget }) => {
                        setUsername(currentTarget.value);
                    }}
                />
            </label>
            <label>
                Password
                <input
                    name="password"
                    type="password"
                    autocomplete="current-password"
                    required
                    value={password}
                    onInput={({ currentTarget }) => {
                        setPassword(currentTarget.value);
                    }}
                />
            </label>
            <button type="submit" class="primary" disabled={busy}>
                {busy ? "Logging in…" : "Log in"}
            </button>
        </form>
    );
}

interface ChoiceProps {
    readonly value: Handshake;
    readonly chosen: Handshake;
    readonly choose: (value: Handshake) => void;
    readonly children: string;
}

function Choice({ value, chosen, choose, children }: ChoiceProps): JSX.Element {
    return (
        <label class="choice">
            <input
                type="radio"
                name="handshake"
                value={value}
                checked={chosen === value}
                onChange={() => {
                    choose(value);
                }}
            />
            <span>{children}</span>
        </label>
    );
}
