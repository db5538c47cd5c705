import { useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { words } from "../hooks.ts";
import { Field } from "../parts/field.tsx";
import { LifeOf } from "../parts/life-of.tsx";
import { type Draft, EXPIRIES, FIRST, type Mistakes, body, check, randomId } from "../state/compose.ts";
import type { Accepted } from "../state/life.ts";

/** A test notification that was sent. */
interface Sent {
    readonly user: string;
    readonly id: string;
    readonly accepted: Accepted;
}

/** Sends a test notification, and shows what becomes of it. */
export function SendView({ api }: { readonly api: Api }) {
    const [draft, setDraft] = useState<Draft>(FIRST);
    const [mistakes, setMistakes] = useState<Mistakes>({});
    const [problem, setProblem] = useState("");
    const [busy, setBusy] = useState(false);
    const [sent, setSent] = useState<Sent>();
    const change = (changes: Partial<Draft>): void => {
        const next = { ...draft, ...changes };
        setDraft(next);
        // What was wrong is looked at again as it is typed; what was not is left in peace.
        if (Object.keys(mistakes).length > 0) setMistakes(check(next));
    };
    const submit = async (): Promise<void> => {
        const found = check(draft);
        setMistakes(found);
        setProblem("");
        const wrong = found.userId === undefined ? "payload" : "user-id";
        if (Object.keys(found).length > 0) {
            document.getElementById(wrong)?.focus();
            return;
        }
        setBusy(true);
        const [user, id] = [draft.userId.trim(), randomId("test")];
        try {
            // First, so that nothing that becomes of it is missed.
            await api.follow(user, id);
            const accepted = await api.send(body(draft, id, Date.now()));
            setSent({ user, id, accepted });
        } catch (error) {
            setProblem(`It was not accepted: ${words(error)}.`);
        }
        setBusy(false);
    };
    return (
        <div class="columns">
            <form
                noValidate
                onSubmit={(event) => {
                    event.preventDefault();
                    void submit();
                }}
            >
                <h2>Send a test notification</h2>
                <Field id="user-id" label="To the user" mistake={mistakes.userId}>
                    {(attributes) => (
                        <input
                            {...attributes}
                            autocomplete="off"
                            spellcheck={false}
                            value={draft.userId}
                            onInput={({ currentTarget: { value: userId } }) => {
                                change({ userId });
                            }}
                        />
                    )}
                </Field>
                <Field id="payload" label="Payload, as JSON" mistake={mistakes.payload}>
                    {(attributes) => (
                        <textarea
                            {...attributes}
                            class="mono"
                            rows={5}
                            spellcheck={false}
                            value={draft.payload}
                            onInput={({ currentTarget: { value: payload } }) => {
                                change({ payload });
                            }}
                        />
                    )}
                </Field>
                <fieldset>
                    <legend>If the user is not there</legend>
                    {(["hold", "drop"] as const).map((choice) => (
                        <label key={choice} class="choice">
                            <input
                                type="radio"
                                name="when-offline"
                                checked={draft.whenOffline === choice}
                                onChange={() => {
                                    change({ whenOffline: choice });
                                }}
                            />
                            {choice === "hold" ? "hold it until they come" : "drop it"}
                        </label>
                    ))}
                </fieldset>
                <div>
                    <label for="expires">It expires</label>
                    <select
                        id="expires"
                        value={String(draft.expiresAfter)}
                        onChange={({ currentTarget }) => {
                            change({ expiresAfter: Number(currentTarget.value) });
                        }}
                    >
                        {EXPIRIES.map(({ label, after }) => (
                            <option key={after} value={after}>
                                {label}
                            </option>
                        ))}
                    </select>
                </div>
                <p class="bad" role="alert">
                    {problem}
                </p>
                <button class="primary" disabled={busy}>
                    Send it
                </button>
            </form>
            <section aria-label="What becomes of it">
                {sent === undefined ? (
                    <p class="faint">What becomes of it will be shown here as it happens.</p>
                ) : (
                    <LifeOf key={sent.id} api={api} user={sent.user} id={sent.id} accepted={sent.accepted} />
                )}
            </section>
        </div>
    );
}
