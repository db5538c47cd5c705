import { useEffect, useRef } from "preact/hooks";
import type { ConfirmationTexts } from "../state/confirmation.ts";

/** An action to confirm. */
export interface Confirmation extends ConfirmationTexts {
    readonly onConfirm: () => void;
}

interface Props {
    readonly confirmation: Confirmation;
    readonly close: () => void;
}

/** A dialog that asks before an action that can't be undone. Escape cancels. */
export function ConfirmDialog({ confirmation, close }: Props) {
    const dialog = useRef<HTMLDialogElement>(null);
    useEffect(() => {
        dialog.current?.showModal();
    }, []);
    const { title, consequence, action, refusal, dangerous, onConfirm } = confirmation;
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
                        onConfirm();
                    }}
                >
                    {action}
                </button>
            </div>
        </dialog>
    );
}
