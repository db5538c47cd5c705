import { useEffect, useState } from "preact/hooks";
import type { Api, DeadLetter } from "../api.ts";
import { usePolled, words } from "../hooks.ts";
import { Confirm, type Question } from "../parts/confirm.tsx";
import { DeadLettersTable } from "../parts/dead-letters-table.tsx";
import { ask, outcome } from "../state/dead-letters.ts";
import { count, many } from "../state/words.ts";

const EVERY = 5_000;

interface Properties {
    readonly api: Api;
    /** How many there are by the figures. */
    readonly known: number;
    readonly now: number;
}

/** The dead letters, and what can be done with them. */
export function DeadLettersView({ api, known, now }: Properties) {
    const { value, problem, refresh } = usePolled("dead letters", () => api.deadLetters(), () => EVERY);
    const [more, setMore] = useState<readonly DeadLetter[]>([]);
    const [next, setNext] = useState<string>();
    const [question, setQuestion] = useState<Question>();
    const [done, setDone] = useState("");
    // One that appears or goes is shown at once.
    useEffect(refresh, [known, refresh]);
    const first = value?.items ?? [];
    const items = [...first, ...more.filter(({ id }) => !first.some((other) => other.id === id))];
    const after = more.length === 0 ? value?.next : next;
    // The figures are a moment old: where the list is whole, it knows better.
    const total = after === undefined ? items.length : Math.max(known, items.length);
    const doneWith = (text: string): void => {
        setDone(text);
        setMore([]);
        refresh();
    };
    const confirm = (verb: "redrive" | "drop", letter?: DeadLetter): void => {
        const act = (): void => {
            const work = verb === "redrive" ? api.redrive(letter?.id) : api.drop(letter?.id);
            work.then(
                (changed) => outcome(verb, changed),
                (error: unknown) => `Nothing was done: ${words(error)}.`,
            ).then(doneWith, () => undefined);
        };
        setQuestion({ ...ask(verb, letter === undefined ? total : 1, letter?.userId), act });
    };
    const showMore = (): void => {
        if (after === undefined) return;
        api.deadLetters(after).then(
            (page) => {
                setMore([...more, ...page.items]);
                setNext(page.next);
            },
            (error: unknown) => {
                setDone(`No more could be read: ${words(error)}.`);
            },
        );
    };
    return (
        <>
            <div class="title">
                <h2>{value === undefined ? "Dead letters" : many(total, "dead letter")}</h2>
                {items.length > 0 && (
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
                                confirm("drop");
                            }}
                        >
                            Drop all
                        </button>
                    </div>
                )}
            </div>
            <p class="faint">
                Notifications that were tried too often, or can’t be read. Redriving accepts one anew, behind what its
                user has got meanwhile; dropping deletes it for good.
            </p>
            <p role="status">{done}</p>
            {problem !== undefined && (
                <p class="bad" role="alert">
                    The dead letters can’t be read: {problem}.
                </p>
            )}
            {value !== undefined && items.length === 0 && <p>There are none. Everything accepted was delivered, is held, or is on its way.</p>}
            {items.length > 0 && <DeadLettersTable items={items} now={now} confirm={confirm} />}
            {after !== undefined && (
                <button onClick={showMore}>
                    Show more than these {count(items.length)}
                </button>
            )}
            {question !== undefined && (
                <Confirm
                    question={question}
                    close={() => {
                        setQuestion(undefined);
                    }}
                />
            )}
        </>
    );
}
