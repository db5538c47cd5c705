/** A duration as a clock shows it: `0:07`, `12:30`, `1:02:03`. Less than nothing is nothing. */
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

/** A duration in words, in its largest unit: `3 minutes`, `1 hour`. */
export function duration(milliseconds: number): string {
    const [unit, length] = UNITS.find(([, length]) => milliseconds >= length) ?? (["second", 1000] as const);
    const count = Math.max(0, Math.floor(milliseconds / length));
    return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

const time = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** The time of day, in the reader's way: `14:05`. */
export function timeOfDay(millisecondsSinceEpoch: number): string {
    return time.format(millisecondsSinceEpoch);
}

/** Date and time, in the reader's way. */
export function dateAndTime(millisecondsSinceEpoch: number): string {
    return dateTime.format(millisecondsSinceEpoch);
}
