/** Calls listeners by event name. */
export class Emitter<E> {
    readonly #listeners: { [K in keyof E]?: Set<(value: E[K]) => void> } = {};

    /** Adds a listener. @returns a function that removes it */
    on<K extends keyof E>(name: K, listener: (value: E[K]) => void): () => void {
        const listeners = (this.#listeners[name] ??= new Set<(value: E[K]) => void>());
        listeners.add(listener);
        return () => {
            listeners.delete(listener);
        };
    }

    /**
     * Calls all listeners. An error that one throws is reported as uncaught and does not affect the others.
     *
     * @returns true if there were listeners
     */
    emit<K extends keyof E>(name: K, value: E[K]): boolean {
        const listeners = [...(this.#listeners[name] ?? [])];
        for (const listener of listeners) {
            try {
                listener(value);
            } catch (error) {
                reportUncaught(error);
            }
        }
        return listeners.length > 0;
    }
}

/** Throws an error in a microtask of its own, so that the runtime reports it as uncaught. */
export function reportUncaught(error: unknown): void {
    queueMicrotask(() => {
        throw error;
    });
}
