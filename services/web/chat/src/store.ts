import { useEffect, useState } from "preact/hooks";

/** State that changes by events through a reducer, and calls listeners after each change. */
export class Store<S, E> {
    #state: S;
    readonly #reduce: (state: S, event: E) => S;
    readonly #listeners = new Set<() => void>();

    constructor(initial: S, reduce: (state: S, event: E) => S) {
        this.#state = initial;
        this.#reduce = reduce;
    }

    get state(): S {
        return this.#state;
    }

    dispatch(event: E): void {
        const before = this.#state;
        this.#state = this.#reduce(before, event);
        if (this.#state !== before) for (const listener of [...this.#listeners]) listener();
    }

    /** Calls `listener` after each change. @returns a function that stops it */
    subscribe(listener: () => void): () => void {
        this.#listeners.add(listener);
        return () => {
            this.#listeners.delete(listener);
        };
    }
}

/** Returns the store's state. The component renders once for all changes made in the same task. */
export function useStore<S, E>(store: Store<S, E>): S {
    const [state, setState] = useState(store.state);
    useEffect(() => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const changed = (): void => {
            timer ??= setTimeout(() => {
                timer = undefined;
                setState(() => store.state);
            });
        };
        changed();
        const unsubscribe = store.subscribe(changed);
        return () => {
            unsubscribe();
            clearTimeout(timer);
        };
    }, [store]);
    return state;
}

/** Returns the current time in milliseconds since the Unix epoch, updated every second. */
export function useNow(): number {
    const [now, setNow] = useState(() => Date.now());
    useEffect(() => {
        const timer = setInterval(() => {
            setNow(Date.now());
        }, 1000);
        return () => {
            clearInterval(timer);
        };
    }, []);
    return now;
}
