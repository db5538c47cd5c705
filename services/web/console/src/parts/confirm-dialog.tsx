import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ConfirmationTexts } from "../state/confirmation.ts";

/** An action to confirm. */
interface Confirmation extends ConfirmationTexts {
    readonly onConfirm: () => void;
}

interface Props {
    readonly confirmation: Confirmation;
    readonly close: () => void;
}

/** Returns the open confirmation dialog, if there is one, and a function that opens one. */
export function useConfirmation(): [dialog: JSX.Element | undefined, confirm: (confirmation: Confirmation) => void] {
    const [confirmation, setConfirmation] = useState<Confirmation>();
    if (confirmation === undefined) return [undefined, setConfirmation];
    const close = (): void => {
        setConfirmation(undefined);
    };
    return [<ConfirmDialog confirmation={confirmation} close={close} />, setConfirmation];
}

/** A dialog that asks before an action that can't be undone. Escape cancels. */
function ConfirmDialog({ confirmation, close }: Props) {
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
