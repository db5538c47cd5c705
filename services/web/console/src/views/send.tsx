import { randomHex } from "@tidings/common/random";
import { useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { errorMessage } from "../hooks.ts";
import { Field } from "../parts/field.tsx";
import { NotificationTimeline } from "../parts/timeline.tsx";
import { type Draft, EXPIRIES, type FieldErrors, INITIAL_DRAFT, requestBody, validate } from "../state/draft.ts";
import type { Rights } from "../state/rights.ts";
import type { Accepted } from "../state/timeline.ts";

/** A sent test notification. */
interface Sent {
    readonly user: string;
    readonly id: string;
    readonly accepted: Accepted;
}

/** The form for a test notification, and the timeline of the last one. */
export function SendView({ api, rights }: { readonly api: Api; readonly rights: Rights }) {
    const [draft, setDraft] = useState<Draft>(INITIAL_DRAFT);
    const [errors, setErrors] = useState<FieldErrors>({});
    const [problem, setProblem] = useState("");
    const [busy, setBusy] = useState(false);
    const [sent, setSent] = useState<Sent>();
    const change = (changes: Partial<Draft>): void => {
        const next = { ...draft, ...changes };
        setDraft(next);
        // Update error messages while the user types, but don't show new ones before the form is submitted.
        if (Object.keys(errors).length > 0) setErrors(validate(next));
    };
    const submit = async (): Promise<void> => {
        const found = validate(draft);
        setErrors(found);
        setProblem("");
        if (Object.keys(found).length > 0) {
            document.getElementById(found.userId === undefined ? "payload" : "user-id")?.focus();
            return;
        }
        setBusy(true);
        const [user, id] = [draft.userId.trim(), `test-${randomHex(8)}`];
        try {
            // Track it before sending, so that no event is missed.
            if (rights.operate) await api.timeline(user, id, true);
            const accepted = await api.send(requestBody(draft, id, Date.now()));
            setSent({ user, id, accepted });
        } catch (error) {
            setProblem(`The notification was not sent: ${errorMessage(error)}.`);
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
                <Field id="user-id" label="User ID" error={errors.userId}>
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
                <Field id="payload" label="Payload (JSON)" error={errors.payload}>
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
                    <legend>If the user is offline</legend>
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
                            {choice === "hold" ? "Hold it until they connect" : "Drop it"}
                        </label>
                    ))}
                </fieldset>
                <div>
                    <label for="expires">Expiry</label>
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
                    Send
                </button>
            </form>
            <section aria-label="Timeline">
                {sent === undefined ? (
                    <p class="faint">The timeline of the notification appears here.</p>
                ) : (
                    <NotificationTimeline
                        key={sent.id}
                        api={api}
                        rights={rights}
                        user={sent.user}
                        id={sent.id}
                        accepted={sent.accepted}
                    />
                )}
            </section>
        </div>
    );
}
