/** State of the network and of the page that the client runs in. */
export interface Environment {
    /** Returns true if there may be a network. */
    online(): boolean;
    /** Returns true if the page is hidden. */
    hidden(): boolean;
    /** Calls `changed` whenever one of them may have changed. @returns a function that stops it */
    watch(changed: () => void): () => void;
}

/** Returns the environment of the browser. Outside a browser, as in Node.js, it is always online and visible. */
export function systemEnvironment(): Environment {
    // Partial types, because a program without a browser has none of these.
    const page = globalThis as Partial<Pick<Window, "navigator" | "document">> & Partial<EventTarget>;
    const sources: [Partial<EventTarget> | undefined, string[]][] = [
        [page, ["online", "offline", "pageshow"]],
        [page.document, ["visibilitychange"]],
    ];
    return {
        online: () => (page.navigator as Partial<Navigator> | undefined)?.onLine !== false,
        hidden: () => page.document?.visibilityState === "hidden",
        watch: (changed) => {
            for (const [source, names] of sources) {
                for (const name of names) source?.addEventListener?.(name, changed);
            }
            return () => {
                for (const [source, names] of sources) {
                    for (const name of names) source?.removeEventListener?.(name, changed);
                }
            };
        },
    };
}
