import { useEffect, useState } from "preact/hooks";
import type { Api, Connection, User } from "../api.ts";
import { usePolled, words } from "../hooks.ts";
import { Confirm, type Question } from "../parts/confirm.tsx";
import { ConnectionsTable, MailboxTable, PastTable } from "../parts/user-tables.tsx";
import { userAddress } from "../state/route.ts";
import { ago, count, many } from "../state/words.ts";

const EVERY = 2_000;

interface Properties {
    readonly api: Api;
    readonly user: string | undefined;
    readonly now: number;
}

/** Looks a user up. */
export function UserView({ api, user, now }: Properties) {
    const [typed, setTyped] = useState(user ?? "");
    useEffect(() => {
        if (user !== undefined) setTyped(user);
    }, [user]);
    return (
        <>
            <h2>Look a user up</h2>
            <form
                class="line"
                role="search"
                onSubmit={(event) => {
                    event.preventDefault();
                    if (typed.trim() !== "") location.hash = userAddress(typed.trim());
                }}
            >
                <label for="user">User</label>
                <input
                    id="user"
                    type="search"
                    autocomplete="off"
                    spellcheck={false}
                    value={typed}
                    onInput={({ currentTarget }) => {
                        setTyped(currentTarget.value);
                    }}
                />
                <button class="primary">Look up</button>
            </form>
            {user === undefined ? (
                <p class="faint">See a user’s open connections, what is held for them, and what became of it.</p>
            ) : (
                <Found key={user} api={api} user={user} now={now} />
            )}
        </>
    );
}

function Found({ api, user, now }: { readonly api: Api; readonly user: string; readonly now: number }) {
    const { value, problem, refresh } = usePolled(
        user,
        async () => {
            const found = await api.user(user);
            return { found, past: found.history ? await api.past(user) : undefined };
        },
        () => EVERY,
    );
    const [question, setQuestion] = useState<Question>();
    const [done, setDone] = useState("");
    if (value === undefined) return <p role={problem === undefined ? undefined : "alert"}>{problem ?? "Looking …"}</p>;
    const close = (connection: Connection): void => {
        setQuestion({
            title: "Close this connection?",
            consequence: "Its client is told that an operator closed it. Most clients connect again at once; nothing that is held gets lost.",
            action: "Close the connection",
            refusal: "Leave it open",
            dangerous: true,
            act: () => {
                api.closeConnection(connection.id)
                    .then(
                        () => "The connection was closed.",
                        (error: unknown) => `The connection was not closed: ${words(error)}.`,
                    )
                    .then(setDone, () => undefined)
                    .finally(refresh);
            },
        });
    };
    const { found, past } = value;
    return (
        <>
            {problem !== undefined && (
                <p class="bad" role="alert">
                    This is of a while ago: {problem}.
                </p>
            )}
            <p role="status">{done}</p>
            <section aria-labelledby="connections">
                <h3 id="connections">{many(found.connections.length, "open connection")}</h3>
                {found.connections.length > 0 ? (
                    <ConnectionsTable connections={found.connections} now={now} close={close} />
                ) : (
                    <p class="faint">Nobody is there: what is sent now is held, unless it is to be dropped.</p>
                )}
            </section>
            <section aria-labelledby="mailbox">
                <h3 id="mailbox">{mailboxTitle(found)}</h3>
                {found.mailbox.first.length > 0 ? (
                    <>
                        <p class="faint">{mailboxNote(found, now)}</p>
                        <MailboxTable user={user} rows={found.mailbox.first} now={now} />
                    </>
                ) : (
                    <p class="faint">Nothing is waiting for {user}.</p>
                )}
            </section>
            <section aria-labelledby="past">
                <h3 id="past">What became of the last ones</h3>
                {past === undefined ? (
                    <p class="faint">
                        No history is kept here. Set <code>enabled = true</code> in the section <code>[history]</code> of
                        the configuration to keep one.
                    </p>
                ) : past.length === 0 ? (
                    <p class="faint">The history has nothing of {user}.</p>
                ) : (
                    <PastTable user={user} rows={past} />
                )}
            </section>
            {question !== undefined && (
                <Confirm
                    question={question}
                    close={() => {
                        setQuestion(undefined);
                    }}
                />
            )}
        </>
    );
}

function mailboxTitle({ mailbox: { count: held, more } }: User): string {
    return more ? `More than ${count(held)} notifications in the mailbox` : `${many(held, "notification")} in the mailbox`;
}

function mailboxNote({ mailbox: { count: held, first, oldestSentAt } }: User, now: number): string {
    const oldest = oldestSentAt === undefined ? "" : `The oldest was sent ${ago(oldestSentAt, now)} ago.`;
    return held > first.length ? `${oldest} These are the first ${count(first.length)}.` : oldest;
}
