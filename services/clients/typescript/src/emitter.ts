/** Calls listeners by the name of an event. */
export class Emitter<E> {
    readonly #listeners: { [K in keyof E]?: Set<(value: E[K]) => void> } = {};

    /** Adds a listener. @returns what removes it again */
    on<K extends keyof E>(name: K, listener: (value: E[K]) => void): () => void {
        const listeners = (this.#listeners[name] ??= new Set<(value: E[K]) => void>());
        listeners.add(listener);
        return () => {
            listeners.delete(listener);
        };
    }

    /** Calls the listeners; what one throws is nobody else's concern. @returns whether there were any */
    emit<K extends keyof E>(name: K, value: E[K]): boolean {
        const listeners = [...(this.#listeners[name] ?? [])];
        for (const listener of listeners) {
            try {
                listener(value);
            } catch (error) {
                unhandled(error);
            }
        }
        return listeners.length > 0;
    }
}

/** Makes an error known as one that nobody caught. */
export function unhandled(error: unknown): void {
    queueMicrotask(() => {
        throw error;
    });
}
