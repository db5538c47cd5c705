import type { JSX, RefObject } from "preact";
import { useState } from "preact/hooks";
import type { Place } from "../state/types.ts";

interface Props {
    readonly dialog: RefObject<HTMLDialogElement | null>;
    readonly people: readonly string[];
    readonly choose: (place: Place) => void;
}

/** Asks for the name of somebody who is not in the list. */
export function WriteTo({ dialog, people, choose }: Props): JSX.Element {
    const [name, setName] = useState("");
    return (
        <dialog ref={dialog} aria-labelledby="write-to">
            <form
                onSubmit={(event) => {
                    event.preventDefault();
                    const user = name.trim();
                    if (user === "") return;
                    dialog.current?.close();
                    setName("");
                    choose(`user:${user}`);
                }}
            >
                <h2 id="write-to">Write to someone</h2>
                <p class="faint">They need not be here: what you write is held until they are.</p>
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
                        Write
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
