/**
 * Where the API key is kept while the console is open: in the session storage of this tab.
 *
 * The page needs the key for each request, and a reload is not to ask for it again. Scripts of this origin could read
 * it there, as they could read it in memory; the page's Content-Security-Policy lets none in but its own. It is not
 * in local storage, where it would outlive the tab and be shared with others, nor in a cookie, which would be sent
 * with requests that other pages make. Logging out and closing the tab both forget it.
 */
const NAME = "tidings-console-key";

export function rememberedKey(): string | undefined {
    return sessionStorage.getItem(NAME) ?? undefined;
}

export function rememberKey(key: string): void {
    sessionStorage.setItem(NAME, key);
}

export function forgetKey(): void {
    sessionStorage.removeItem(NAME);
}
