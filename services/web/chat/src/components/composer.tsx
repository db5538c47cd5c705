import type { JSX, RefObject } from "preact";
import { useState } from "preact/hooks";

interface Props {
    readonly field: RefObject<HTMLTextAreaElement | null>;
    /** Name of the recipient. */
    readonly recipient: string;
    /** Reason why the user can't write, if there is one. */
    readonly disabledReason: string | undefined;
    /** Maximum size of the text as JSON, in bytes. */
    readonly maxBytes: number;
    readonly draft: string;
    readonly onChange: (text: string) => void;
    readonly send: (text: string) => void;
}

/** Maximum height of the field, in lines. */
const MAX_LINES = 8;

/** The form in which messages are written. */
export function Composer({ field, recipient, disabledReason, maxBytes, draft, onChange, send }: Props): JSX.Element {
    const [text, setText] = useState(draft);
    const [problem, setProblem] = useState<string>();
    const edit = (next: string): void => {
        setText(next);
        onChange(next);
        setProblem(undefined);
    };
    const submit = (): void => {
        // The field may have newer text than the state, which is set with the next render.
        const written = field.current?.value ?? text;
        if (written.trim() === "") return;
        const size = new TextEncoder().encode(JSON.stringify(written)).length;
        if (size > maxBytes) {
            setProblem(`This message is too long: ${kibibytes(size)} of at most ${kibibytes(maxBytes)}. Send it in parts.`);
            return;
        }
        send(written.trim());
        // If the text was not rendered yet, the state is already empty and rendering it would not clear the field.
        if (field.current !== null) field.current.value = "";
        edit("");
        field.current?.focus();
    };

    if (disabledReason !== undefined) {
        return <p class="composer closed faint">{disabledReason}</p>;
    }
    return (
        <form
            class="composer"
            aria-label="New message"
            onSubmit={(event) => {
                event.preventDefault();
                submit();
            }}
        >
            <label class="visually-hidden" for="text">
                Message to {recipient}
            </label>
            <textarea
                id="text"
                ref={field}
                rows={Math.min(MAX_LINES, text.split("\n").length)}
                placeholder={`Message to ${recipient}`}
                value={text}
                aria-describedby="keys text-problem"
                onInput={({ currentTarget }) => {
                    edit(currentTarget.value);
                }}
                onKeyDown={(event) => {
                    // Enter also ends the composition of characters with an input method; then it must not send.
                    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
                    event.preventDefault();
                    submit();
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

function kibibytes(bytes: number): string {
    return `${Math.ceil(bytes / 1024)} KiB`;
}
