import { type Counts, type Snapshot, processor, rate } from "../state/figures.ts";
import { bytes, count, figure, milliseconds } from "../state/words.ts";

interface Shown {
    readonly label: string;
    readonly value: string;
    /** What the number is of. */
    readonly unit?: string;
    readonly note?: string;
    readonly bad?: boolean;
}

/** The seconds that a rate is the mean of. */
const SECONDS = 5;

/** The numbers of now. */
export function Figures({ snapshots }: { readonly snapshots: readonly Snapshot[] }) {
    // Over some seconds: what comes in bursts would be nothing most of the time.
    const [before, now] = [snapshots.at(-1 - SECONDS) ?? snapshots.at(0), snapshots.at(-1)];
    if (snapshots.length < 2 || now === undefined || before === undefined) {
        return <p class="faint">The first figures are on their way.</p>;
    }
    return (
        <dl class="figures numbers">
            {shown(before, now).map(({ label, value, unit, note, bad }) => (
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

function shown(before: Snapshot, now: Snapshot): Shown[] {
    const { counts, latency, mailbox } = now;
    const perSecond = (name: keyof Counts, also = ""): Omit<Shown, "label"> => ({
        value: figure(rate(before, now, name)),
        unit: "a second",
        note: `${count(counts[name])} since the start${also}`,
    });
    const used = processor(before, now);
    return [
        { label: "Accepted", ...perSecond("accepted") },
        { label: "Delivered", ...perSecond("delivered") },
        { label: "Held", ...perSecond("held") },
        { label: "Replayed", ...perSecond("replayed") },
        {
            label: "Latency, 99 % within",
            value: milliseconds(latency?.p99),
            note: latency === null ? "nothing pushed just now" : `half within ${milliseconds(latency.p50)}`,
        },
        { label: "Connections", value: count(now.connections), unit: "open" },
        {
            label: "In mailboxes",
            value: mailbox === null ? "counting" : figure(mailbox),
            ...(mailbox === null ? {} : { unit: "held" }),
            note: `${count(now.queued)} more in the queue`,
        },
        {
            label: "Dead letters",
            value: count(now.deadLetters),
            bad: now.deadLetters > 0,
            note: `${count(counts.expired)} expired, ${count(counts.dropped)} dropped`,
        },
        ...(now.residentBytes === null
            ? []
            : [
                  { label: "Memory", value: bytes(now.residentBytes), note: "of the server’s process" },
                  { label: "Processor", value: used === null ? "–" : `${count(used)} %`, note: "of one core" },
              ]),
    ];
}
