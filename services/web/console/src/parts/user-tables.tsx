import { dateAndTime } from "@tidings/common/format";
import type { Connection, Held, Past } from "../api.ts";
import { followAddress } from "../state/route.ts";
import { ago, bytes, count, sequence } from "../state/words.ts";

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
                        <th scope="col">From</th>
                        <th scope="col">Frames</th>
                        <th scope="col" class="number">
                            To be written
                        </th>
                        <th scope="col">
                            <span class="visually-hidden">What can be done</span>
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
                                {ago(connection.since, now)}
                            </td>
                            <td class="wide">
                                {connection.sourceIp ?? "not known yet"}
                                {connection.userAgent !== undefined && <span class="note">{connection.userAgent}</span>}
                            </td>
                            <td>
                                {connection.format}
                                <span class="note">{connection.acknowledges ? "acknowledges" : "does not acknowledge"}</span>
                            </td>
                            <td class="number">{bytes(connection.waitingBytes)}</td>
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
    readonly rows: readonly Held[];
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
                                <a href={followAddress(user, row.id)}>{row.id}</a>
                            </th>
                            <td class="number">{sequence(row.sequence)}</td>
                            <td class="numbers" title={dateAndTime(row.sentAt)}>
                                {ago(row.sentAt, now)} ago
                            </td>
                            <td>{row.kind ?? "–"}</td>
                            <td class="number">{bytes(row.bytes)}</td>
                            <td>{row.pushedTo === 0 ? "no" : `to ${count(row.pushedTo)}, not acknowledged`}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

export function PastTable({ user, rows }: { readonly user: string; readonly rows: readonly Past[] }) {
    return (
        <div class="scroll" role="region" aria-label="History" tabIndex={0}>
            <table>
                <thead>
                    <tr>
                        <th scope="col">When</th>
                        <th scope="col">What</th>
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
                                <a href={followAddress(user, row.id)}>{row.id}</a>
                            </td>
                            <td class="number">{sequence(row.sequence)}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}
