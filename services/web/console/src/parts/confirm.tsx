import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** Something that is done when it is confirmed. */
export interface Question {
    readonly title: string;
    /** What will happen, in a sentence or two. */
    readonly consequence: ComponentChildren;
    /** What the button says that does it. */
    readonly action: string;
    /** What the other one says. */
    readonly refusal: string;
    readonly dangerous: boolean;
    readonly act: () => void;
}

interface Properties {
    readonly question: Question;
    readonly close: () => void;
}

/** Asks before something is done that can't be taken back. Escape is a no. */
export function Confirm({ question, close }: Properties) {
    const dialog = useRef<HTMLDialogElement>(null);
    useEffect(() => {
        dialog.current?.showModal();
    }, []);
    const { title, consequence, action, refusal, dangerous, act } = question;
    return (
        <dialog ref={dialog} aria-labelledby="confirm-title" aria-describedby="confirm-text" onClose={close}>
            <h2 id="confirm-title">{title}</h2>
            <p id="confirm-text">{consequence}</p>
            <div class="actions">
                <button
                    autofocus
                    onClick={() => {
                        dialog.current?.close();
                    }}
                >
                    {refusal}
                </button>
                <button
                    class={dangerous ? "danger" : "primary"}
                    onClick={() => {
                        dialog.current?.close();
                        act();
                    }}
                >
                    {action}
                </button>
            </div>
        </dialog>
    );
}
