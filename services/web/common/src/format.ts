/** Formats a duration as a clock does: `0:07`, `12:30`, `1:02:03`. A negative duration is zero. */
export function clock(milliseconds: number): string {
    const seconds = Math.max(0, Math.floor(milliseconds / 1000));
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
    const two = (part: number): string => String(part).padStart(2, "0");
    return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

const UNITS = [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
    ["second", 1000],
] as const;

/**
 * Formats a duration in its largest unit: `3 minutes`, or `3 min` with the display `short`. A negative duration is
 * zero.
 */
export function duration(milliseconds: number, unitDisplay: "long" | "short" = "long"): string {
    const [unit, length] = UNITS.find(([, length]) => milliseconds >= length) ?? (["second", 1000] as const);
    const format = new Intl.NumberFormat("en", { style: "unit", unit, unitDisplay });
    return format.format(Math.max(0, Math.floor(milliseconds / length)));
}

const time = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** Formats the time of day in the reader's locale: `14:05`. */
export function timeOfDay(millisecondsSinceEpoch: number): string {
    return time.format(millisecondsSinceEpoch);
}

/** Formats date and time in the reader's locale. */
export function dateAndTime(millisecondsSinceEpoch: number): string {
    return dateTime.format(millisecondsSinceEpoch);
}
