import { useEffect, useState } from "preact/hooks";
import type { Api, DeadLetter } from "../api.ts";
import { errorMessage, usePolling } from "../hooks.ts";
import { useConfirmation } from "../parts/confirm-dialog.tsx";
import { DeadLettersTable } from "../parts/dead-letters-table.tsx";
import { confirmationOf, resultMessage } from "../state/dead-letter-actions.ts";
import { formatCount, pluralize } from "../state/format.ts";
import type { Rights } from "../state/rights.ts";

/** Interval of polling, in milliseconds. */
const INTERVAL = 5_000;

interface Props {
    readonly api: Api;
    readonly rights: Rights;
    /** Number of dead letters in the live metrics. */
    readonly total: number;
    readonly now: number;
}

/** The dead letters, with buttons to redrive and purge them. */
export function DeadLettersView({ api, rights, total, now }: Props) {
    const { value, problem, refresh } = usePolling("dead letters", () => api.deadLetters(), () => INTERVAL);
    const [more, setMore] = useState<readonly DeadLetter[]>([]);
    const [next, setNext] = useState<string>();
    const [dialog, openDialog] = useConfirmation();
    const [result, setResult] = useState("");
    // Load the list again as soon as their number changes.
    useEffect(refresh, [total, refresh]);
    const first = value?.items ?? [];
    const items = [...first, ...more.filter(({ id }) => !first.some((other) => other.id === id))];
    const after = more.length === 0 ? value?.next : next;
    // A complete list is more recent than the live metrics.
    const count = after === undefined ? items.length : Math.max(total, items.length);
    const showResult = (text: string): void => {
        setResult(text);
        setMore([]);
        refresh();
    };
    const confirm = (verb: "redrive" | "purge", letter?: DeadLetter): void => {
        const onConfirm = (): void => {
            const request = verb === "redrive" ? api.redrive(letter?.id) : api.purge(letter?.id);
            request.then(
                (changed) => resultMessage(verb, changed),
                (error: unknown) => `Nothing was changed: ${errorMessage(error)}.`,
            ).then(showResult, () => undefined);
        };
        openDialog({ ...confirmationOf(verb, letter === undefined ? count : 1, letter?.userId), onConfirm });
    };
    const showMore = (): void => {
        if (after === undefined) return;
        api.deadLetters(after).then(
            (page) => {
                setMore([...more, ...page.items]);
                setNext(page.next);
            },
            (error: unknown) => {
                setResult(`The next page can’t be loaded: ${errorMessage(error)}.`);
            },
        );
    };
    return (
        <>
            <div class="title">
                <h2>{value === undefined ? "Dead letters" : pluralize(count, "dead letter")}</h2>
                {rights.operate && items.length > 0 && (
                    <div class="actions">
                        <button
                            onClick={() => {
                                confirm("redrive");
                            }}
                        >
                            Redrive all
                        </button>
                        <button
                            class="danger"
                            onClick={() => {
                                confirm("purge");
                            }}
                        >
                            Purge all
                        </button>
                    </div>
                )}
            </div>
            <p class="faint">
                Notifications that failed too often or can’t be read. Redriving delivers one again, after the newer
                notifications of its user. Purging deletes it for good.
            </p>
            <p role="status">{result}</p>
            {problem !== undefined && (
                <p class="bad" role="alert">
                    The dead letters can’t be loaded: {problem}.
                </p>
            )}
            {value !== undefined && items.length === 0 && (
                <p>No dead letters. All accepted notifications were delivered or are being delivered or held.</p>
            )}
            {items.length > 0 && <DeadLettersTable items={items} now={now} confirm={rights.operate ? confirm : undefined} />}
            {after !== undefined && (
                <button onClick={showMore}>Show more (now {formatCount(items.length)})</button>
            )}
            {dialog}
        </>
    );
}
