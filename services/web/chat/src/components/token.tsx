import { dateAndTime } from "@tidings/common/format";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { type Claims, type Credential, type Handshake, claimsOf, trimmed } from "../login/credential.ts";

interface Props {
    /** One that came with the link. */
    readonly pasted?: string;
    readonly handshakes: readonly Handshake[];
    readonly loggedIn: (credential: Credential) => void;
}

/** Logs in with a token of any issuer. One that came with a link is not used before its reader has said so. */
export function Token({ pasted, handshakes, loggedIn }: Props): JSX.Element {
    const [text, setText] = useState("");
    const [problem, setProblem] = useState<string>();
    const offered = pasted === undefined ? undefined : claimsOf(pasted);

    const use = (token: string): void => {
        const claims = claimsOf(token);
        const why = reasonAgainst(claims, handshakes);
        setProblem(why);
        if (claims === undefined || why !== undefined) return;
        const { userId, expiresAt } = claims;
        // A server gives connect tokens to its own users; another issuer's are known to the handshake alone.
        const handshake = handshakes.includes("jwt") ? "jwt" : "token";
        const credential = { userId, guest: false, idToken: token, handshake } as const;
        loggedIn(expiresAt === undefined ? credential : { ...credential, expiresAt });
    };

    if (pasted !== undefined) {
        return (
            <section class="offer" aria-labelledby="offer">
                <h2 id="offer">A login came with the link</h2>
                {offered === undefined ? (
                    <p>It is no token that this page can use. Log in another way.</p>
                ) : (
                    <>
                        <p>{described(offered)} Go on only if that is you.</p>
                        <button
                            type="button"
                            class="primary"
                            onClick={() => {
                                use(pasted);
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
                use(trimmed(text));
            }}
        >
            <h2 id="with-token">With a token</h2>
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
            <button type="submit">Log in with this token</button>
        </form>
    );
}

function described({ userId, name, issuer, expiresAt }: Claims): string {
    const who = name === undefined || name === userId ? userId : `${name} (${userId})`;
    const from = issuer === undefined ? "" : `, from ${issuer}`;
    const until = expiresAt === undefined ? "" : `, until ${dateAndTime(expiresAt)}`;
    return `It is for ${who}${from}${until}.`;
}

function reasonAgainst(claims: Claims | undefined, handshakes: readonly Handshake[]): string | undefined {
    if (claims === undefined) return "This is no JSON Web Token that names a user: it has three parts, with dots between.";
    if (claims.expiresAt !== undefined && claims.expiresAt <= Date.now()) {
        return `This token has ended: it was good until ${dateAndTime(claims.expiresAt)}.`;
    }
    return handshakes.length === 0 ? "This server accepts neither tokens nor JSON Web Tokens from pages." : undefined;
}
