/** A duration as a clock shows it: `0:07`, `12:30`, `1:02:03`. Less than nothing is nothing. */
export function clock(milliseconds: number): string {
    const seconds = Math.max(0, Math.floor(milliseconds / 1000));
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
    const two = (part: number): string => String(part).padStart(2, "0");
    return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
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
