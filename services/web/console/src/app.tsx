import { useState } from "preact/hooks";
import { Api } from "./api.ts";
import { forgetKey, rememberKey, rememberedKey } from "./key.ts";
import { Console } from "./views/console.tsx";
import { Login } from "./views/login.tsx";

/** The page: the login, and behind it the console. */
export function App() {
    const [api, setApi] = useState(() => {
        const key = rememberedKey();
        return key === undefined ? undefined : new Api(key);
    });
    const [notice, setNotice] = useState<string>();
    const enter = (key: string): void => {
        rememberKey(key);
        setNotice(undefined);
        setApi(new Api(key));
    };
    const leave = (why?: string): void => {
        forgetKey();
        setNotice(why);
        setApi(undefined);
    };
    return api === undefined ? <Login notice={notice} enter={enter} /> : <Console api={api} leave={leave} />;
}
