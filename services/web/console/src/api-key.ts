/**
 * The API key is in the session storage of the tab, because the page needs it for each request and a reload should not
 * ask for it again. Scripts of this origin could read it there, as they could read it in memory; the page's
 * Content-Security-Policy allows only its own scripts. It is not in local storage, which would outlive the tab and share
 * the key with others, nor in a cookie, which would be sent with requests of other pages. Logging out and closing the tab
 * delete it.
 */
const NAME = "tidings-console-key";

/** Returns the stored key, if there is one. */
export function loadApiKey(): string | undefined {
    return sessionStorage.getItem(NAME) ?? undefined;
}

/** Stores the key. */
export function saveApiKey(key: string): void {
    sessionStorage.setItem(NAME, key);
}

/** Deletes the key. */
export function clearApiKey(): void {
    sessionStorage.removeItem(NAME);
}
