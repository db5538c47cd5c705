import { Problem } from "@tidings/common/server";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Route, route } from "./state/route.ts";

/** What the address says is to be shown. */
export function useRoute(): Route {
    const [shown, setShown] = useState(() => route(location.hash));
    useEffect(() => {
        const changed = (): void => {
            setShown(route(location.hash));
        };
        addEventListener("hashchange", changed);
        return () => {
            removeEventListener("hashchange", changed);
        };
    }, []);
    return shown;
}

/** What the server answers to something asked again and again. */
export interface Polled<T> {
    readonly value: T | undefined;
    /** What is wrong, in words; the value is then an older one. */
    readonly problem: string | undefined;
    /** Asks at once. */
    readonly refresh: () => void;
}

/**
 * Asks when shown, and then again after each `pause` milliseconds that it gives for the answer; `undefined` ends it.
 * A page that nobody sees asks nothing. The question is another when `subject` is.
 */
export function usePolled<T>(
    subject: string,
    question: () => Promise<T>,
    pause: (value: T | undefined) => number | undefined,
): Polled<T> {
    const [state, setState] = useState<{ subject: string; value?: T; problem?: string }>({ subject });
    const [round, setRound] = useState(0);
    const latest = useRef({ question, pause });
    latest.current = { question, pause };
    useEffect(() => {
        const over = new AbortController();
        let timer: ReturnType<typeof setTimeout> | undefined;
        let value: T | undefined;
        const look = async (): Promise<void> => {
            let problem: string | undefined;
            if (!document.hidden || value === undefined) {
                try {
                    value = await latest.current.question();
                } catch (error) {
                    problem = words(error);
                }
            }
            if (over.signal.aborted) return;
            const found = value === undefined ? {} : { value };
            setState({ subject, ...found, ...(problem === undefined ? {} : { problem }) });
            const next = latest.current.pause(value);
            if (next !== undefined) timer = setTimeout(() => void look(), next);
        };
        void look();
        return () => {
            over.abort();
            clearTimeout(timer);
        };
    }, [subject, round]);
    const refresh = useCallback(() => {
        setRound((before) => before + 1);
    }, []);
    // Until the first answer, what is known is about something else.
    const known = state.subject === subject ? state : { subject };
    return { value: known.value, problem: known.problem, refresh };
}

/** An error in words for people. */
export function words(error: unknown): string {
    const message = error instanceof Error ? error.message : String(error);
    return error instanceof Problem || message !== "" ? message : "something went wrong";
}
