import { useState } from "preact/hooks";
import { Api } from "../api.ts";
import { errorMessage } from "../hooks.ts";
import { isRefused } from "../live-metrics.ts";

interface Props {
    /** Reason why the operator has to log in again. */
    readonly notice: string | undefined;
    readonly onLogin: (key: string) => void;
}

/** The login with the API key. */
export function Login({ notice, onLogin }: Props) {
    const [key, setKey] = useState("");
    const [problem, setProblem] = useState(notice);
    const [busy, setBusy] = useState(false);
    const submit = async (): Promise<void> => {
        const trimmed = key.trim();
        if (trimmed === "") {
            setProblem("Enter the API key.");
            return;
        }
        setBusy(true);
        const api = new Api(trimmed);
        let refusal = "This is not the API key of this server. Check it and try again.";
        try {
            await api.rights();
            refusal = "This key may not open the console. Use one with the scope read, operate or admin.";
            await api.liveMetrics(Date.now());
            onLogin(trimmed);
        } catch (error) {
            setProblem(isRefused(error) ? refusal : `The login failed: ${errorMessage(error)}. Try again in a moment.`);
            setBusy(false);
        }
    };
    return (
        <main class="login">
            <h1>Tidings console</h1>
            <p class="faint">For operators of this server: live metrics, users, and the timeline of each notification.</p>
            <form
                noValidate
                onSubmit={(event) => {
                    event.preventDefault();
                    void submit();
                }}
            >
                <div>
                    <label for="key">API key</label>
                    <input
                        id="key"
                        type="password"
                        class="mono"
                        autocomplete="off"
                        spellcheck={false}
                        autofocus
                        value={key}
                        aria-invalid={problem !== undefined}
                        aria-describedby="key-help key-problem"
                        onInput={({ currentTarget }) => {
                            setKey(currentTarget.value);
                        }}
                    />
                </div>
                <p id="key-problem" class="bad" role="alert">
                    {problem}
                </p>
                <button class="primary" disabled={busy}>
                    Open console
                </button>
                <p id="key-help" class="faint small">
                    The server created the key at its first start, in the file <code>api-key</code> of its data directory
                    (by default <code>tidings-data/api-key</code>). This tab keeps the key until you close it or log out.
                </p>
            </form>
        </main>
    );
}
