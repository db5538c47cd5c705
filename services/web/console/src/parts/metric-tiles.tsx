import { formatBytes, formatCount, formatLatency, formatNumber } from "../state/format.ts";
import { type Counts, type Snapshot, cpuPercent, rate } from "../state/metrics.ts";

/** A metric with its label. */
interface Tile {
    readonly label: string;
    readonly value: string;
    /** Unit after the value. */
    readonly unit?: string;
    readonly note?: string;
    readonly bad?: boolean;
}

/** Number of seconds over which rates are averaged, because notifications come in bursts. */
const RATE_SECONDS = 5;

/** The newest metrics. */
export function MetricTiles({ snapshots }: { readonly snapshots: readonly Snapshot[] }) {
    const [before, now] = [snapshots.at(-1 - RATE_SECONDS) ?? snapshots.at(0), snapshots.at(-1)];
    if (snapshots.length < 2 || now === undefined || before === undefined) {
        return <p class="faint">Waiting for the first metrics…</p>;
    }
    return (
        <dl class="metrics numbers">
            {tiles(before, now).map(({ label, value, unit, note, bad }) => (
                <div key={label}>
                    <dt>{label}</dt>
                    <dd>
                        <strong class={bad === true ? "bad" : undefined}>{value}</strong>
                        {unit !== undefined && <span class="unit"> {unit}</span>}
                        {note !== undefined && <span class="note">{note}</span>}
                    </dd>
                </div>
            ))}
        </dl>
    );
}

function tiles(before: Snapshot, now: Snapshot): Tile[] {
    const { counts, latency, mailbox } = now;
    const perSecond = (name: keyof Counts): Omit<Tile, "label"> => ({
        value: formatNumber(rate(before, now, name)),
        unit: "per second",
        note: `${formatCount(counts[name])} since start`,
    });
    const cpu = cpuPercent(before, now);
    return [
        { label: "Accepted", ...perSecond("accepted") },
        { label: "Delivered", ...perSecond("delivered") },
        { label: "Held", ...perSecond("held") },
        { label: "Replayed", ...perSecond("replayed") },
        {
            label: "Latency p99",
            value: formatLatency(latency?.p99),
            note: latency === null ? "no push in the last second" : `p50 ${formatLatency(latency.p50)}`,
        },
        { label: "Connections", value: formatCount(now.connections), unit: "open" },
        {
            label: "Mailboxes",
            value: mailbox === null ? "counting…" : formatNumber(mailbox),
            ...(mailbox === null ? {} : { unit: "held" }),
            note: `${formatCount(now.queued)} in the queue`,
        },
        {
            label: "Dead letters",
            value: formatCount(now.deadLetters),
            bad: now.deadLetters > 0,
            note: `${formatCount(counts.expired)} expired, ${formatCount(counts.dropped)} dropped`,
        },
        ...(now.residentBytes === null
            ? []
            : [
                  { label: "Memory", value: formatBytes(now.residentBytes), note: "server process" },
                  { label: "CPU", value: cpu === null ? "–" : `${formatCount(cpu)} %`, note: "of one core" },
              ]),
    ];
}
