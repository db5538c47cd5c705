import { dateAndTime } from "@tidings/common/format";
import type { Connection, HeldNotification, HistoryRow } from "../api.ts";
import { age, formatBytes, formatCount, formatSequence } from "../state/format.ts";
import { notificationAddress } from "../state/route.ts";

interface ConnectionsProperties {
    readonly connections: readonly Connection[];
    readonly now: number;
    readonly close: (connection: Connection) => void;
}

export function ConnectionsTable({ connections, now, close }: ConnectionsProperties) {
    return (
        <div class="scroll" role="region" aria-label="Connections" tabIndex={0}>
            <table>
                <thead>
                    <tr>
                        <th scope="col">Connection</th>
                        <th scope="col">Open for</th>
                        <th scope="col">Client</th>
                        <th scope="col">Frames</th>
                        <th scope="col" class="number">
                            Unsent
                        </th>
                        <th scope="col">
                            <span class="visually-hidden">Actions</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {connections.map((connection) => (
                        <tr key={connection.id}>
                            <th scope="row" class="mono">
                                {connection.id}
                            </th>
                            <td class="numbers" title={dateAndTime(connection.since)}>
                                {age(connection.since, now)}
                            </td>
                            <td class="wide">
                                {connection.sourceIp ?? "unknown"}
                                {connection.userAgent !== undefined && <span class="note">{connection.userAgent}</span>}
                            </td>
                            <td>
                                {connection.format}
                                <span class="note">{connection.acknowledges ? "acknowledges" : "does not acknowledge"}</span>
                            </td>
                            <td class="number">{formatBytes(connection.waitingBytes)}</td>
                            <td class="number">
                                <button
                                    class="small"
                                    onClick={() => {
                                        close(connection);
                                    }}
                                >
                                    Close<span class="visually-hidden"> connection {connection.id}</span>
                                </button>
                            </td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

interface MailboxProperties {
    readonly user: string;
    readonly rows: readonly HeldNotification[];
    readonly now: number;
}

export function MailboxTable({ user, rows, now }: MailboxProperties) {
    return (
        <div class="scroll" role="region" aria-label="Mailbox" tabIndex={0}>
            <table>
                <thead>
                    <tr>
                        <th scope="col">Notification</th>
                        <th scope="col" class="number">
                            Sequence
                        </th>
                        <th scope="col">Sent</th>
                        <th scope="col">Kind</th>
                        <th scope="col" class="number">
                            Payload
                        </th>
                        <th scope="col">Pushed</th>
                    </tr>
                </thead>
                <tbody>
                    {rows.map((row) => (
                        <tr key={row.sequence}>
                            <th scope="row" class="mono">
                                <a href={notificationAddress(user, row.id)}>{row.id}</a>
                            </th>
                            <td class="number">{formatSequence(row.sequence)}</td>
                            <td class="numbers" title={dateAndTime(row.sentAt)}>
                                {age(row.sentAt, now)} ago
                            </td>
                            <td>{row.kind ?? "–"}</td>
                            <td class="number">{formatBytes(row.bytes)}</td>
                            <td>{row.pushedTo === 0 ? "no" : `to ${formatCount(row.pushedTo)}, not acknowledged`}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

export function HistoryTable({ user, rows }: { readonly user: string; readonly rows: readonly HistoryRow[] }) {
    return (
        <div class="scroll" role="region" aria-label="History" tabIndex={0}>
            <table>
                <thead>
                    <tr>
                        <th scope="col">Time</th>
                        <th scope="col">Event</th>
                        <th scope="col">Notification</th>
                        <th scope="col" class="number">
                            Sequence
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {rows.map((row) => (
                        <tr key={`${row.sequence}-${row.what}-${row.at}`}>
                            <td class="numbers">{dateAndTime(row.at)}</td>
                            <td>{row.what}</td>
                            <td class="mono">
                                <a href={notificationAddress(user, row.id)}>{row.id}</a>
                            </td>
                            <td class="number">{formatSequence(row.sequence)}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}
