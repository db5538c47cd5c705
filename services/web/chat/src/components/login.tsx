import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Info, handshakesOf, logIn, logInAsGuest } from "../login/api.ts";
import type { Credential, Handshake } from "../login/credential.ts";
import type { EndReason } from "../session/session.ts";
import { describeLoginError } from "./login-errors.ts";
import { TokenLogin } from "./token-login.tsx";

const END_MESSAGES: Record<EndReason, string> = {
    "logged-out": "You are logged out. Direct messages to you are held until you log in again.",
    expired: "Your login has expired. Log in again to continue. Direct messages to you are held until then.",
    refused:
        "The server no longer accepts your login. Log in again to continue. Direct messages to you are held until then.",
};

interface Props {
    readonly info: Info;
    /** Reason for the end of the last session, if there was one. */
    readonly endReason: EndReason | undefined;
    /** The token in the URL, if there was one. */
    readonly tokenInUrl: string | undefined;
    readonly onLogin: (credential: Credential) => void;
}

/** The login: with a demo user, a password, a token, or as a guest. */
export function Login({ info, endReason, tokenInUrl, onLogin }: Props): JSX.Element {
    const handshakes = handshakesOf(info);
    const [handshake, setHandshake] = useState<Handshake>(handshakes[0] ?? "token");
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState<string>();
    const heading = useRef<HTMLHeadingElement>(null);
    const users = info.login.users ?? [];

    useEffect(() => {
        // The element that had the focus before the logout is gone.
        if (endReason !== undefined) heading.current?.focus();
    }, [endReason]);

    const attempt = (login: Promise<Credential>): void => {
        setBusy(true);
        setProblem(undefined);
        login
            .then(onLogin, (error: unknown) => {
                setProblem(describeLoginError(error));
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
                    <li>Write to someone who is online, and the message arrives at once.</li>
                    <li>Write to someone who is offline, and the message is held.</li>
                    <li>When they come back, they get each message once, in the order of sending.</li>
                </ol>
            </header>
            <div class="login-options">
                {endReason !== undefined && (
                    <p class="notice" role="status">
                        {END_MESSAGES[endReason]}
                    </p>
                )}
                <p class="notice problem" role="alert" hidden={problem === undefined}>
                    {problem}
                </p>
                {tokenInUrl !== undefined && (
                    <TokenLogin tokenInUrl={tokenInUrl} handshakes={handshakes} onLogin={onLogin} />
                )}
                {users.length > 0 && (
                    <section aria-labelledby="demo-users">
                        <h2 id="demo-users">Demo users</h2>
                        <p class="faint">
                            This server runs in development mode, so these passwords are public. Log in as another user in
                            a second browser tab.
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
                    title={users.length > 0 ? "Log in with your account" : "Log in"}
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
                            Continue as guest
                        </button>
                    </section>
                )}
                <details class="advanced">
                    <summary>More login options</summary>
                    {tokenInUrl === undefined && <TokenLogin handshakes={handshakes} onLogin={onLogin} />}
                    {handshakes.length > 1 && (
                        <fieldset>
                            <legend>Authentication of connections</legend>
                            <Choice value="token" chosen={handshake} choose={setHandshake}>
                                A single-use token for each connection. A stolen one is useless.
                            </Choice>
                            <Choice value="jwt" chosen={handshake} choose={setHandshake}>
                                The JSON Web Token of the login. Saves a request per connection.
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
