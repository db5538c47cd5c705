import { useState } from "preact/hooks";
import { Api } from "../api.ts";
import { words } from "../hooks.ts";
import { isRefused } from "../live.ts";

interface Properties {
    /** Why one has to log in again. */
    readonly notice: string | undefined;
    readonly enter: (key: string) => void;
}

/** Asks for the API key, and lets in who has it. */
export function Login({ notice, enter }: Properties) {
    const [key, setKey] = useState("");
    const [problem, setProblem] = useState(notice);
    const [busy, setBusy] = useState(false);
    const submit = async (): Promise<void> => {
        const trimmed = key.trim();
        if (trimmed === "") {
            setProblem("Paste the API key first.");
            return;
        }
        setBusy(true);
        try {
            await new Api(trimmed).figures(Date.now());
            enter(trimmed);
        } catch (error) {
            setProblem(isRefused(error) ? "This is not the API key of this server." : words(error));
            setBusy(false);
        }
    };
    return (
        <main class="login">
            <h1>Tidings console</h1>
            <p class="faint">For whoever runs this server. It shows what the server is doing and what became of notifications.</p>
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
                    Open the console
                </button>
                <p id="key-help" class="faint small">
                    The server made it at its first start, in the file <code>tidings-data/api-key</code> unless it was
                    told of another directory. This tab remembers the key until it is closed or you log out.
                </p>
            </form>
        </main>
    );
}
