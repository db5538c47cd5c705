import { Problem } from "@tidings/common/server";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Route, parseRoute } from "./state/route.ts";

/** Returns the route in the URL of the page. */
export function useRoute(): Route {
    const [route, setRoute] = useState(() => parseRoute(location.hash));
    useEffect(() => {
        const changed = (): void => {
            setRoute(parseRoute(location.hash));
        };
        addEventListener("hashchange", changed);
        return () => {
            removeEventListener("hashchange", changed);
        };
    }, []);
    return route;
}

/** Result of polling. */
export interface Polled<T> {
    readonly value: T | undefined;
    /** Error of the last request. `value` is then that of an earlier one. */
    readonly problem: string | undefined;
    /** Sends a request at once. */
    readonly refresh: () => void;
}

/**
 * Polls the server while the component is mounted. A hidden page sends no requests.
 *
 * @param subject starts over when it changes
 * @param fetchValue sends a request
 * @param delayAfter returns the milliseconds until the next request, or `undefined` to stop polling
 */
export function usePolling<T>(
    subject: string,
    fetchValue: () => Promise<T>,
    delayAfter: (value: T | undefined) => number | undefined,
): Polled<T> {
    const [state, setState] = useState<{ subject: string; value?: T; problem?: string }>({ subject });
    const [round, setRound] = useState(0);
    const latest = useRef({ fetchValue, delayAfter });
    latest.current = { fetchValue, delayAfter };
    useEffect(() => {
        const stopped = new AbortController();
        let timer: ReturnType<typeof setTimeout> | undefined;
        let value: T | undefined;
        const poll = async (): Promise<void> => {
            let problem: string | undefined;
            if (!document.hidden || value === undefined) {
                try {
                    value = await latest.current.fetchValue();
                } catch (error) {
                    problem = errorMessage(error);
                }
            }
            if (stopped.signal.aborted) return;
            const found = value === undefined ? {} : { value };
            setState({ subject, ...found, ...(problem === undefined ? {} : { problem }) });
            const delay = latest.current.delayAfter(value);
            if (delay !== undefined) timer = setTimeout(() => void poll(), delay);
        };
        void poll();
        return () => {
            stopped.abort();
            clearTimeout(timer);
        };
    }, [subject, round]);
    const refresh = useCallback(() => {
        setRound((before) => before + 1);
    }, []);
    // Until the first answer, the state is about the previous subject.
    const current = state.subject === subject ? state : { subject };
    return { value: current.value, problem: current.problem, refresh };
}

/** Returns the message of an error, without a full stop. */
export function errorMessage(error: unknown): string {
    const message = error instanceof Error ? error.message : String(error);
    return error instanceof Problem || message !== "" ? message : "something went wrong";
}
