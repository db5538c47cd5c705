import { dateAndTime } from "@tidings/common/format";
import type { Connection, HeldNotification, HistoryRow } from "../api.ts";
import { age, formatBytes, formatCount, formatSequence } from "../state/format.ts";
import { notificationAddress } from "../state/route.ts";
import { DataTable } from "./data-table.tsx";

const CONNECTION_COLUMNS = [
    { label: "Connection" },
    { label: "Open for" },
    { label: "Client" },
    { label: "Format" },
    { label: "Unsent", numeric: true },
    { label: "Actions", hidden: true },
];

const MAILBOX_COLUMNS = [
    { label: "Notification" },
    { label: "Sequence", numeric: true },
    { label: "Sent" },
    { label: "Kind" },
    { label: "Payload", numeric: true },
    { label: "Pushed" },
];

const HISTORY_COLUMNS = [
    { label: "Time" },
    { label: "Event" },
    { label: "Notification" },
    { label: "Sequence", numeric: true },
];

interface ConnectionsProps {
    readonly connections: readonly Connection[];
    readonly now: number;
    /** Asks for confirmation and closes a connection. Absent if the operator may not. */
    readonly close: ((connection: Connection) => void) | undefined;
}

/** The open connections of a user. */
export function ConnectionsTable({ connections, now, close }: ConnectionsProps) {
    return (
        <DataTable label="Connections" columns={CONNECTION_COLUMNS}>
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
                        {close !== undefined && (
                            <button
                                class="small"
                                onClick={() => {
                                    close(connection);
                                }}
                            >
                                Close<span class="visually-hidden"> connection {connection.id}</span>
                            </button>
                        )}
                    </td>
                </tr>
            ))}
        </DataTable>
    );
}

interface MailboxProps {
    readonly user: string;
    readonly rows: readonly HeldNotification[];
    readonly now: number;
}

/** The held notifications of a user. */
export function MailboxTable({ user, rows, now }: MailboxProps) {
    return (
        <DataTable label="Mailbox" columns={MAILBOX_COLUMNS}>
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
        </DataTable>
    );
}

/** The recent activity of a user. */
export function HistoryTable({ user, rows }: { readonly user: string; readonly rows: readonly HistoryRow[] }) {
    return (
        <DataTable label="History" columns={HISTORY_COLUMNS}>
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
        </DataTable>
    );
}
