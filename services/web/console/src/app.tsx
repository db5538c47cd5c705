import { useState } from "preact/hooks";
import { clearApiKey, loadApiKey, saveApiKey } from "./api-key.ts";
import { Api } from "./api.ts";
import { Console } from "./views/console.tsx";
import { Login } from "./views/login.tsx";

/** The page: the login, or the console of a logged-in operator. */
export function App() {
    const [api, setApi] = useState(() => {
        const key = loadApiKey();
        return key === undefined ? undefined : new Api(key);
    });
    const [notice, setNotice] = useState<string>();
    const logIn = (key: string): void => {
        saveApiKey(key);
        setNotice(undefined);
        setApi(new Api(key));
    };
    const logOut = (reason?: string): void => {
        clearApiKey();
        setNotice(reason);
        setApi(undefined);
    };
    return api === undefined ? <Login notice={notice} onLogin={logIn} /> : <Console api={api} logOut={logOut} />;
}
