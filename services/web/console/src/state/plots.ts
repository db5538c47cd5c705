import { type Counts, type Snapshot, rate } from "./metrics.ts";

/** One line of a plot. */
export interface Series {
    readonly label: string;
    /** Returns the value at a snapshot, or `null` if there is none. */
    readonly value: (before: Snapshot | undefined, at: Snapshot) => number | null;
}

/** Definition of a plot. */
export interface PlotDefinition {
    readonly id: string;
    readonly title: string;
    /** Unit of the values: `per second`, `ms`, or empty for counts. */
    readonly unit: string;
    readonly series: readonly Series[];
}

function perSecond(label: string, name: keyof Counts): Series {
    return { label, value: (before, at) => (before === undefined ? null : rate(before, at, name)) };
}

function gauge(label: string, value: (at: Snapshot) => number | null): Series {
    return { label, value: (_, at) => value(at) };
}

export const PLOTS: readonly PlotDefinition[] = [
    {
        id: "traffic",
        title: "Notifications",
        unit: "per second",
        series: [perSecond("Accepted", "accepted"), perSecond("Delivered", "delivered"), perSecond("Held", "held")],
    },
    {
        id: "latency",
        title: "Latency from sending to push",
        unit: "ms",
        series: [
            gauge("p50", ({ latency }) => latency?.p50 ?? null),
            gauge("p95", ({ latency }) => latency?.p95 ?? null),
            gauge("p99", ({ latency }) => latency?.p99 ?? null),
        ],
    },
    {
        id: "replay",
        title: "Replay from mailboxes",
        unit: "per second",
        series: [perSecond("Replayed", "replayed"), perSecond("Acknowledged", "acknowledged")],
    },
    {
        id: "mailbox",
        title: "Held notifications",
        unit: "",
        series: [gauge("Held", ({ mailbox }) => mailbox)],
    },
    {
        id: "connections",
        title: "Open connections",
        unit: "",
        series: [gauge("Open", ({ connections }) => connections)],
    },
    {
        id: "dead-letters",
        title: "Dead letters",
        unit: "",
        series: [gauge("Dead letters", ({ deadLetters }) => deadLetters)],
    },
];

/** Times in seconds, and the values of each line at these times. */
export type Columns = [number[], ...(number | null)[][]];

/** Returns the values of a plot over the last `span` milliseconds. */
export function columns({ series }: PlotDefinition, snapshots: readonly Snapshot[], span: number): Columns {
    const end = snapshots.at(-1)?.at ?? 0;
    const first = snapshots.findIndex(({ at }) => at >= end - span);
    const shown = first < 0 ? [] : snapshots.slice(first);
    const before = (index: number): Snapshot | undefined => snapshots[first + index - 1];
    return [
        shown.map(({ at }) => at / 1000),
        ...series.map(({ value }) => shown.map((snapshot, index) => value(before(index), snapshot))),
    ];
}

/** A row of the table that shows the same as a plot. */
export interface Row {
    /** End of the row's interval, in milliseconds since the Unix epoch. */
    readonly at: number;
    /** Mean of each line during the interval. */
    readonly values: readonly (number | null)[];
}

/** Summarises a plot in about `rows` rows, newest first. */
export function rowsOf([times, ...lines]: Columns, rows: number): Row[] {
    const size = Math.max(1, Math.ceil(times.length / rows));
    const result: Row[] = [];
    for (let end = times.length; end > 0; end -= size) {
        const start = Math.max(0, end - size);
        result.push({
            at: (times[end - 1] ?? 0) * 1000,
            values: lines.map((line) => mean(line.slice(start, end))),
        });
    }
    return result;
}

function mean(values: readonly (number | null)[]): number | null {
    const known = values.filter((value) => value !== null);
    return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}
