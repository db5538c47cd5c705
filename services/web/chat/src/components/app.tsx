import { Problem } from "@tidings/common/server";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Info, fetchInfo } from "../login/api.ts";
import type { Credential } from "../login/credential.ts";
import { clear, loadCredential, saveCredential } from "../login/storage.ts";
import { type EndReason, Session } from "../session/session.ts";
import { type Event, initial, reduce } from "../state/reducer.ts";
import { pageTitle } from "../state/selectors.ts";
import type { State } from "../state/types.ts";
import { Store, useStore } from "../store.ts";
import { Chat } from "./chat.tsx";
import { Login } from "./login.tsx";

const store = new Store<State, Event>(initial, reduce);

/** Delay before the server is asked again, in milliseconds. */
const RETRY_DELAY = 2000;

/** The page: the login, or the chat of a logged-in user. `token` is the token in the URL, if there was one. */
export function App({ token }: { readonly token: string | undefined }): JSX.Element {
    const [info, setInfo] = useState<Info | Problem>();
    const [session, setSession] = useState<Session>();
    const [endReason, setEndReason] = useState<EndReason>();
    const [tokenInUrl, setTokenInUrl] = useState(token);
    const state = useStore(store);

    const startSession = (info: Info, credential: Credential): void => {
        saveCredential(credential);
        setEndReason(undefined);
        setTokenInUrl(undefined);
        const next: Session = new Session(store, info, credential, (reason) => {
            clear();
            setSession((current) => (current === next ? undefined : current));
            setEndReason(reason);
            store.dispatch({ type: "logged-out" });
        });
        setSession(next);
    };

    useEffect(() => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const ask = async (): Promise<void> => {
            try {
                const answer = await fetchInfo();
                setInfo(answer);
                const credential = loadCredential(Date.now());
                // With a token in the URL, the user decides which login to use.
                if (credential !== undefined && token === undefined) startSession(answer, credential);
            } catch (error) {
                setInfo(error instanceof Problem ? error : new Problem(0, "the server can't be reached"));
                timer = setTimeout(() => void ask(), RETRY_DELAY);
            }
        };
        void ask();
        return () => {
            clearTimeout(timer);
        };
    }, []);

    useEffect(() => {
        const changed = (): void => {
            store.dispatch({ type: "visibility", hidden: document.visibilityState === "hidden" });
        };
        changed();
        document.addEventListener("visibilitychange", changed);
        return () => {
            document.removeEventListener("visibilitychange", changed);
        };
    }, []);

    useEffect(() => {
        document.title = pageTitle(state);
    }, [pageTitle(state)]);

    if (info === undefined) return <></>;
    if (info instanceof Problem) {
        return (
            <main class="unreachable">
                <h1>Tidings</h1>
                <p role="status">The server can’t be reached. This page tries again every 2 seconds.</p>
            </main>
        );
    }
    if (session === undefined || state.me === undefined) {
        return (
            <Login
                info={info}
                endReason={endReason}
                tokenInUrl={tokenInUrl}
                onLogin={(credential) => {
                    startSession(info, credential);
                }}
            />
        );
    }
    return <Chat key={session.credential.idToken} session={session} store={store} state={state} />;
}
