import { Problem } from "@tidings/common/server";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Credential } from "../login/credential.ts";
import { forget, keep, kept } from "../login/keep.ts";
import { type Info, info as askInfo } from "../login/server.ts";
import { type Ending, Session } from "../session/session.ts";
import { type Event, initial, reduce } from "../state/reducer.ts";
import type { State } from "../state/types.ts";
import { titleOf } from "../state/view.ts";
import { Store, useStore } from "../store.ts";
import { Chat } from "./chat.tsx";
import { Login } from "./login.tsx";

const store = new Store<State, Event>(initial, reduce);

/** How long to wait before the server is asked again, in milliseconds. */
const AGAIN = 2000;

/** The whole page. `token` came with the link. */
export function App({ token }: { readonly token: string | undefined }): JSX.Element {
    const [info, setInfo] = useState<Info | Problem>();
    const [session, setSession] = useState<Session>();
    const [ending, setEnding] = useState<Ending>();
    const [offered, setOffered] = useState(token);
    const state = useStore(store);

    const begin = (info: Info, credential: Credential): void => {
        keep(credential);
        setEnding(undefined);
        setOffered(undefined);
        const next: Session = new Session(store, info, credential, (why) => {
            forget();
            setSession((current) => (current === next ? undefined : current));
            setEnding(why);
            store.dispatch({ type: "logged-out" });
        });
        setSession(next);
    };

    useEffect(() => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const ask = async (): Promise<void> => {
            try {
                const answer = await askInfo();
                setInfo(answer);
                const credential = kept(Date.now());
                // Who comes with a token of somebody else is asked first.
                if (credential !== undefined && token === undefined) begin(answer, credential);
            } catch (error) {
                setInfo(error instanceof Problem ? error : new Problem(0, "the server can't be reached"));
                timer = setTimeout(() => void ask(), AGAIN);
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
        document.title = titleOf(state);
    }, [titleOf(state)]);

    if (info === undefined) return <></>;
    if (info instanceof Problem) {
        return (
            <main class="unreachable">
                <h1>Tidings</h1>
                <p role="status">
                    The server can’t be reached right now. This page looks for it every other second and goes on by
                    itself.
                </p>
            </main>
        );
    }
    if (session === undefined || state.me === undefined) {
        return (
            <Login
                info={info}
                ending={ending}
                offered={offered}
                loggedIn={(credential) => {
                    begin(info, credential);
                }}
            />
        );
    }
    return <Chat key={session.credential.idToken} session={session} store={store} state={state} />;
}
