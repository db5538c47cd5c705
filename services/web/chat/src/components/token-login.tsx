import { dateAndTime } from "@tidings/common/format";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { type Claims, type Credential, type Handshake, decodeClaims, trimToken } from "../login/credential.ts";

interface Props {
    /** The token in the URL, if there was one. */
    readonly tokenInUrl?: string;
    readonly handshakes: readonly Handshake[];
    readonly onLogin: (credential: Credential) => void;
}

/**
 * The login with a JSON Web Token of any issuer. A token from the URL is used only after the user confirms it, because
 * otherwise a link could log people in as somebody else.
 */
export function TokenLogin({ tokenInUrl, handshakes, onLogin }: Props): JSX.Element {
    const [text, setText] = useState("");
    const [problem, setProblem] = useState<string>();
    const offered = tokenInUrl === undefined ? undefined : decodeClaims(tokenInUrl);

    const use = (token: string): void => {
        const claims = decodeClaims(token);
        const found = problemWith(claims, handshakes);
        setProblem(found);
        if (claims === undefined || found !== undefined) return;
        const { userId, expiresAt } = claims;
        // The server gives connect tokens to its own users only. Tokens of other issuers have to go into the handshake.
        const handshake = handshakes.includes("jwt") ? "jwt" : "token";
        const credential = { userId, guest: false, idToken: token, handshake } as const;
        onLogin(expiresAt === undefined ? credential : { ...credential, expiresAt });
    };

    if (tokenInUrl !== undefined) {
        return (
            <section class="offer" aria-labelledby="offer">
                <h2 id="offer">Login from a link</h2>
                {offered === undefined ? (
                    <p>The token in this link is not valid. Log in another way.</p>
                ) : (
                    <>
                        <p>{describe(offered)} Continue only if that is you.</p>
                        <button
                            type="button"
                            class="primary"
                            onClick={() => {
                                use(tokenInUrl);
                            }}
                        >
                            Continue as {offered.name ?? offered.userId}
                        </button>
                    </>
                )}
                <p class="bad" role="alert" hidden={problem === undefined}>
                    {problem}
                </p>
            </section>
        );
    }
    return (
        <form
            aria-labelledby="with-token"
            onSubmit={(event) => {
                event.preventDefault();
                use(trimToken(text));
            }}
        >
            <h2 id="with-token">Log in with a token</h2>
            <label>
                JSON Web Token from an issuer that this server trusts
                <textarea
                    class="mono"
                    rows={3}
                    autocomplete="off"
                    spellcheck={false}
                    required
                    value={text}
                    aria-describedby="token-problem"
                    onInput={({ currentTarget }) => {
                        setText(currentTarget.value);
                    }}
                />
            </label>
            <p class="bad" role="alert" id="token-problem" hidden={problem === undefined}>
                {problem}
            </p>
            <button type="submit">Log in with token</button>
        </form>
    );
}

function describe({ userId, name, issuer, expiresAt }: Claims): string {
    const who = name === undefined || name === userId ? userId : `${name} (${userId})`;
    const from = issuer === undefined ? "" : `, issued by ${issuer}`;
    const until = expiresAt === undefined ? "" : `, valid until ${dateAndTime(expiresAt)}`;
    return `This link logs you in as ${who}${from}${until}.`;
}

function problemWith(claims: Claims | undefined, handshakes: readonly Handshake[]): string | undefined {
    if (claims === undefined) {
        return "This is not a JSON Web Token that names a user. Copy the whole token: three parts, separated by dots.";
    }
    if (claims.expiresAt !== undefined && claims.expiresAt <= Date.now()) {
        return `This token expired on ${dateAndTime(claims.expiresAt)}. Paste a newer one.`;
    }
    if (handshakes.length > 0) return undefined;
    return "This server accepts no tokens from web pages. Ask its operator to allow the handshake method jwt.";
}
