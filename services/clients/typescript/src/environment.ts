/** What a client knows of the page it is in. */
export interface Environment {
    /** Whether there may be a network. */
    online(): boolean;
    /** Whether the page is hidden. */
    hidden(): boolean;
    /** Calls back when one of them has changed. @returns what ends that */
    watch(changed: () => void): () => void;
}

/** The browser's, as far as there is one: Node.js is always online and visible. */
export function systemEnvironment(): Environment {
    // Types that a program without a browser doesn't have.
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
