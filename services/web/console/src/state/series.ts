import { type Counts, type Snapshot, rate } from "./figures.ts";

/** One line of a plot. */
export interface Series {
    readonly label: string;
    /** Its value at a snapshot; `null` where there is none. */
    readonly value: (before: Snapshot | undefined, at: Snapshot) => number | null;
}

/** What a plot shows. */
export interface PlotDefinition {
    readonly id: string;
    readonly title: string;
    /** What the numbers are, after them: `a second`, `ms`, or nothing for counts. */
    readonly unit: string;
    readonly series: readonly Series[];
}

function perSecond(label: string, name: keyof Counts): Series {
    return { label, value: (before, at) => (before === undefined ? null : rate(before, at, name)) };
}

function level(label: string, value: (at: Snapshot) => number | null): Series {
    return { label, value: (_, at) => value(at) };
}

export const PLOTS: readonly PlotDefinition[] = [
    {
        id: "traffic",
        title: "Notifications",
        unit: "a second",
        series: [perSecond("Accepted", "accepted"), perSecond("Delivered", "delivered"), perSecond("Held", "held")],
    },
    {
        id: "latency",
        title: "From sending to push",
        unit: "ms",
        series: [
            level("Half within", ({ latency }) => latency?.p50 ?? null),
            level("95 % within", ({ latency }) => latency?.p95 ?? null),
            level("99 % within", ({ latency }) => latency?.p99 ?? null),
        ],
    },
    {
        id: "replay",
        title: "Out of mailboxes",
        unit: "a second",
        series: [perSecond("Replayed", "replayed"), perSecond("Acknowledged", "acknowledged")],
    },
    {
        id: "mailbox",
        title: "Held in mailboxes",
        unit: "",
        series: [level("Held", ({ mailbox }) => mailbox)],
    },
    {
        id: "connections",
        title: "Open connections",
        unit: "",
        series: [level("Open", ({ connections }) => connections)],
    },
    {
        id: "dead-letters",
        title: "Dead letters",
        unit: "",
        series: [level("Dead letters", ({ deadLetters }) => deadLetters)],
    },
];

/** Times in seconds, and the values of each line at them. */
export type Columns = [number[], ...(number | null)[][]];

/** The values of a plot over the last `span` milliseconds. */
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

/** One row of the table that says what a plot shows. */
export interface Row {
    /** The end of its part of the time, in milliseconds since the epoch. */
    readonly at: number;
    /** The mean of each line. */
    readonly values: readonly (number | null)[];
}

/** A plot in about `rows` rows, newest first: each has the means of its part of the time. */
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
