import { useEffect, useState } from "preact/hooks";
import type { Api, Connection, User } from "../api.ts";
import { errorMessage, usePolling } from "../hooks.ts";
import { useConfirmation } from "../parts/confirm-dialog.tsx";
import { ConnectionsTable, HistoryTable, MailboxTable } from "../parts/user-tables.tsx";
import { age, formatCount, pluralize } from "../state/format.ts";
import type { Rights } from "../state/rights.ts";
import { userAddress } from "../state/route.ts";

/** Interval of polling, in milliseconds. */
const INTERVAL = 2_000;

interface Props {
    readonly api: Api;
    readonly rights: Rights;
    readonly user: string | undefined;
    readonly now: number;
}

/** The search for a user, and the user found. */
export function UserView({ api, rights, user, now }: Props) {
    const [typed, setTyped] = useState(user ?? "");
    useEffect(() => {
        if (user !== undefined) setTyped(user);
    }, [user]);
    return (
        <>
            <h2>Find a user</h2>
            <form
                class="line"
                role="search"
                onSubmit={(event) => {
                    event.preventDefault();
                    if (typed.trim() !== "") location.hash = userAddress(typed.trim());
                }}
            >
                <label for="user">User ID</label>
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
                <button class="primary">Find</button>
            </form>
            {user === undefined ? (
                <p class="faint">Shows the user’s open connections, held notifications and recent activity.</p>
            ) : (
                <UserDetails key={user} api={api} rights={rights} user={user} now={now} />
            )}
        </>
    );
}

/** Connections, mailbox and recent activity of a user. */
function UserDetails({ api, rights, user, now }: Props & { readonly user: string }) {
    const { value, problem, refresh } = usePolling(
        user,
        async () => {
            const found = await api.user(user);
            return { found, history: found.history ? await api.history(user) : undefined };
        },
        () => INTERVAL,
    );
    const [dialog, openDialog] = useConfirmation();
    const [result, setResult] = useState("");
    if (value === undefined) {
        if (problem === undefined) return <p>Loading…</p>;
        return <p role="alert">The user can’t be loaded: {problem}.</p>;
    }
    const close = (connection: Connection): void => {
        openDialog({
            title: "Close this connection?",
            consequence: "The client is told that an operator closed the connection. Most clients reconnect at once. Held notifications are not lost.",
            action: "Close connection",
            refusal: "Keep open",
            dangerous: true,
            onConfirm: () => {
                api.closeConnection(connection.id)
                    .then(
                        () => "The connection was closed.",
                        (error: unknown) => `The connection was not closed: ${errorMessage(error)}.`,
                    )
                    .then(setResult, () => undefined)
                    .finally(refresh);
            },
        });
    };
    const { found, history } = value;
    return (
        <>
            {problem !== undefined && (
                <p class="bad" role="alert">
                    These data are not current: {problem}.
                </p>
            )}
            <p role="status">{result}</p>
            <section aria-labelledby="connections">
                <h3 id="connections">{pluralize(found.connections.length, "open connection")}</h3>
                {found.connections.length > 0 ? (
                    <ConnectionsTable connections={found.connections} now={now} close={rights.operate ? close : undefined} />
                ) : (
                    <p class="faint">{user} is offline. New notifications are held, or dropped if their sender chose that.</p>
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
                    <p class="faint">No notifications are held for {user}.</p>
                )}
            </section>
            <section aria-labelledby="activity">
                <h3 id="activity">Recent activity</h3>
                {history === undefined ? (
                    <p class="faint">
                        This server keeps no history. To keep one, set <code>enabled = true</code> in the section{" "}
                        <code>[history]</code> of its configuration.
                    </p>
                ) : history.length === 0 ? (
                    <p class="faint">The history has no entries for {user}.</p>
                ) : (
                    <HistoryTable user={user} rows={history} />
                )}
            </section>
            {dialog}
        </>
    );
}

function mailboxTitle({ mailbox: { count: held, more } }: User): string {
    return more ? `More than ${formatCount(held)} notifications in the mailbox` : `${pluralize(held, "notification")} in the mailbox`;
}

function mailboxNote({ mailbox: { count: held, first, oldestSentAt } }: User, now: number): string {
    const oldest = oldestSentAt === undefined ? "" : `The oldest was sent ${age(oldestSentAt, now)} ago.`;
    return held > first.length ? `${oldest} The table shows the first ${formatCount(first.length)}.` : oldest;
}
