import type { JSX, RefObject } from "preact";
import { useState } from "preact/hooks";

interface Props {
    readonly field: RefObject<HTMLTextAreaElement | null>;
    /** Whom it is written to. */
    readonly name: string;
    /** Why nothing can be written now. */
    readonly reason: string | undefined;
    /** The largest text, in bytes as JSON. */
    readonly most: number;
    readonly draft: string;
    readonly changed: (text: string) => void;
    readonly write: (text: string) => void;
}

/** Most lines that the field grows to. */
const MOST_LINES = 8;

/** Where messages are written. */
export function Composer({ field, name, reason, most, draft, changed, write }: Props): JSX.Element {
    const [text, setText] = useState(draft);
    const [problem, setProblem] = useState<string>();
    const edit = (next: string): void => {
        setText(next);
        changed(next);
        setProblem(undefined);
    };
    const send = (): void => {
        // What was typed just now may not be drawn yet.
        const written = field.current?.value ?? text;
        if (written.trim() === "") return;
        const size = new TextEncoder().encode(JSON.stringify(written)).length;
        if (size > most) {
            setProblem(`This is too long to send: ${kilobytes(size)}, and ${kilobytes(most)} are possible.`);
            return;
        }
        write(written.trim());
        // Where it was not drawn yet, drawing nothing changes nothing.
        if (field.current !== null) field.current.value = "";
        edit("");
        field.current?.focus();
    };

    if (reason !== undefined) {
        return <p class="composer closed faint">{reason}</p>;
    }
    return (
        <form
            class="composer"
            aria-label="Write a message"
            onSubmit={(event) => {
                event.preventDefault();
                send();
            }}
        >
            <label class="visually-hidden" for="text">
                Message to {name}
            </label>
            <textarea
                id="text"
                ref={field}
                rows={Math.min(MOST_LINES, text.split("\n").length)}
                placeholder={`Write to ${name}`}
                value={text}
                aria-describedby="keys text-problem"
                onInput={({ currentTarget }) => {
                    edit(currentTarget.value);
                }}
                onKeyDown={(event) => {
                    // The Enter that ends a composition of characters sends nothing.
                    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
                    event.preventDefault();
                    send();
                }}
            />
            <button type="submit" class="primary">
                Send
            </button>
            <p class="keys faint" id="keys">
                Enter sends, Shift+Enter starts a new line
            </p>
            <p class="bad" role="alert" id="text-problem" hidden={problem === undefined}>
                {problem}
            </p>
        </form>
    );
}

function kilobytes(bytes: number): string {
    return `${Math.ceil(bytes / 1024)} KiB`;
}
