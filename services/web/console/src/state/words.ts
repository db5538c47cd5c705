const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const seconds = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const exact = new Intl.DateTimeFormat(undefined, {
    hour: "numeric",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
});

/** A number as it is. */
export function count(value: number): string {
    return whole.format(value);
}

/** A number with as many digits as say something. */
export function figure(value: number | null): string {
    if (value === null) return "–";
    if (value >= 1e6) return compact.format(value);
    return value >= 100 || Number.isInteger(value) ? whole.format(value) : tenths.format(value);
}

/** Milliseconds; the server keeps time to one. */
export function milliseconds(value: number | undefined): string {
    if (value === undefined) return "–";
    if (value < 1) return "< 1 ms";
    if (value < 10_000) return `${whole.format(value)} ms`;
    return `${tenths.format(value / 1000)} s`;
}

const STEPS = ["B", "kB", "MB", "GB", "TB"];

/** Bytes, in steps of a thousand. */
export function bytes(value: number): string {
    let step = 0;
    while (value >= 1000 && step < STEPS.length - 1) {
        value /= 1000;
        step += 1;
    }
    return `${(value >= 100 || step === 0 ? whole : tenths).format(value)} ${STEPS[step] ?? ""}`;
}

/** The time of day with seconds, in the reader's way. */
export function timeWithSeconds(millisecondsSinceEpoch: number): string {
    return seconds.format(millisecondsSinceEpoch);
}

/** The time of day to the millisecond, in the reader's way. */
export function exactTime(millisecondsSinceEpoch: number): string {
    return exact.format(millisecondsSinceEpoch);
}

/** `1 notification`, `2 notifications`. */
export function many(value: number, one: string, more = `${one}s`): string {
    return `${count(value)} ${value === 1 ? one : more}`;
}

/** How long ago something was: `12 s`, `5 min`, `3 h`, `2 days`. */
export function ago(from: number, now: number): string {
    const passed = Math.max(0, now - from) / 1000;
    if (passed < 60) return `${whole.format(Math.floor(passed))} s`;
    if (passed < 3600) return `${whole.format(Math.floor(passed / 60))} min`;
    if (passed < 172_800) return `${whole.format(Math.floor(passed / 3600))} h`;
    return `${whole.format(Math.floor(passed / 86_400))} days`;
}

/** A sequence without its leading zeros. */
export function sequence(padded: string): string {
    return padded.replace(/^0+(?=\d)/, "");
}
