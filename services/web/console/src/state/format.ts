import { duration } from "@tidings/common/format";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const seconds = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const milliseconds = new Intl.DateTimeFormat(undefined, {
    hour: "numeric",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
});

/** Formats a count. */
export function formatCount(value: number): string {
    return whole.format(value);
}

/** Formats a value with as many digits as are useful. */
export function formatNumber(value: number | null): string {
    if (value === null) return "–";
    if (value >= 1e6) return compact.format(value);
    return value >= 100 || Number.isInteger(value) ? whole.format(value) : tenths.format(value);
}

/** Formats a latency in milliseconds. The server measures in whole milliseconds. */
export function formatLatency(value: number | undefined): string {
    if (value === undefined) return "–";
    if (value < 1) return "< 1 ms";
    if (value < 10_000) return `${whole.format(value)} ms`;
    return `${tenths.format(value / 1000)} s`;
}

const STEPS = ["B", "kB", "MB", "GB", "TB"];

/** Formats a size in bytes, with decimal prefixes. */
export function formatBytes(value: number): string {
    let step = 0;
    while (value >= 1000 && step < STEPS.length - 1) {
        value /= 1000;
        step += 1;
    }
    return `${(value >= 100 || step === 0 ? whole : tenths).format(value)} ${STEPS[step] ?? ""}`;
}

/** Formats the time of day with seconds, in the reader's locale. */
export function timeWithSeconds(millisecondsSinceEpoch: number): string {
    return seconds.format(millisecondsSinceEpoch);
}

/** Formats the time of day with milliseconds, in the reader's locale. */
export function timeWithMilliseconds(millisecondsSinceEpoch: number): string {
    return milliseconds.format(millisecondsSinceEpoch);
}

/** Formats a count with its noun: `1 notification`, `2 notifications`. */
export function pluralize(count: number, noun: string): string {
    return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Formats the time since `from` in its largest unit: `12 sec`, `5 min`, `3 hr`, `2 days`. */
export function age(from: number, now: number): string {
    return duration(now - from, "short");
}

/** Formats a sequence without its leading zeros. */
export function formatSequence(padded: string): string {
    return padded.replace(/^0+(?=\d)/, "");
}
