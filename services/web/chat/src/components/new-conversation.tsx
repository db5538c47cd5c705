import type { JSX, RefObject } from "preact";
import { useState } from "preact/hooks";
import type { Conversation } from "../state/types.ts";

interface Props {
    readonly dialog: RefObject<HTMLDialogElement | null>;
    readonly people: readonly string[];
    readonly select: (conversation: Conversation) => void;
}

/** The dialog for a conversation with a user who is not in the list. */
export function NewConversation({ dialog, people, select }: Props): JSX.Element {
    const [name, setName] = useState("");
    return (
        <dialog ref={dialog} aria-labelledby="new-conversation">
            <form
                onSubmit={(event) => {
                    event.preventDefault();
                    const user = name.trim();
                    if (user === "") return;
                    dialog.current?.close();
                    setName("");
                    select(`user:${user}`);
                }}
            >
                <h2 id="new-conversation">New conversation</h2>
                <p class="faint">They don’t have to be online: your messages are held until they are.</p>
                <label>
                    User name
                    <input
                        name="to"
                        list="people"
                        autocomplete="off"
                        autocapitalize="none"
                        spellcheck={false}
                        required
                        maxLength={128}
                        value={name}
                        onInput={({ currentTarget }) => {
                            setName(currentTarget.value);
                        }}
                    />
                </label>
                <datalist id="people">
                    {people.map((user) => (
                        <option key={user} value={user} />
                    ))}
                </datalist>
                <p class="buttons">
                    <button type="submit" class="primary">
                        Start
                    </button>
                    <button
                        type="button"
                        onClick={() => {
                            dialog.current?.close();
                        }}
                    >
                        Cancel
                    </button>
                </p>
            </form>
        </dialog>
    );
}
