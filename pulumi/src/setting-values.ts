import { contract } from "./contract.js";

/** Allowed values of an environment variable. */
export interface AllowedValues {
    /** Description of the values, which is that of the function that parses them. */
    readonly expected: string;
    readonly accepts: (text: string, name: string) => boolean;
}

function matching(expected: string, pattern: RegExp): AllowedValues {
    return { expected, accepts: (text) => pattern.test(text) };
}

/** Allows the words in a description such as `off, same-hub or anyone`. */
function words(expected: string): AllowedValues {
    const allowed = expected.split(/, | or /);
    return { expected, accepts: (text) => allowed.includes(text) };
}

/** Returns true for a whole number without a sign that the functions can count with. */
function isNumber(text: string, least: number): boolean {
    return /^[0-9]+$/.test(text) && Number(text) >= least && Number.isSafeInteger(Number(text));
}

const TEXT = matching("a text that is not empty", /./s);
const FLAG = words("true or false");
const NUMBER: AllowedValues = { expected: "a whole number from 1 on", accepts: (text) => isNumber(text, 1) };
const MILLISECONDS: AllowedValues = { expected: "a whole number of milliseconds", accepts: (text) => isNumber(text, 0) };
const NUMBER_OR_OFF: AllowedValues = { expected: "a whole number from 1 on, or off", accepts: (text) => text === "off" || isNumber(text, 1) };
const DAYS: AllowedValues = { expected: "a whole number of days, 1 to 65535", accepts: (text) => isNumber(text, 1) && Number(text) <= 65535 };
const REFUSE_OR_ALLOW = words("refuse or allow");

const RATE: AllowedValues = {
    expected: "a number from 1 on, a slash and at least 1000 milliseconds (20/1000), or off",
    accepts: (text) => {
        const [most = "", per = "", ...rest] = text.split("/");
        return text === "off" || (rest.length === 0 && isNumber(most, 1) && isNumber(per, 1000));
    },
};

const LEVEL = /^(off|error|warn|info|debug|trace|[0-5])$/i;

/** Levels; a part with `=` names modules, and the function alone parses it. */
const LEVELS: AllowedValues = {
    expected: "a level, or levels by module",
    accepts: (text) => text.split(",").every((part) => part.includes("=") || LEVEL.test(part.trim())),
};

/** A time that an invocation keeps, which must leave some of the timeout of each function that has it. */
const TIME_RESERVE: AllowedValues = {
    expected: "a whole number of milliseconds below the function's timeout",
    accepts: (text, name) => {
        const readers = contract.functions.filter(({ variables }) => variables.some((variable) => variable.name === name));
        return isNumber(text, 0) && readers.every(({ timeoutSeconds }) => Number(text) < timeoutSeconds * 1000);
    },
};

/**
 * Allowed values of the environment variables that `tidings:settings` may set. A test compares the descriptions with the
 * sources of the functions, and fails if a variable is missing.
 */
export const SETTING_VALUES: Readonly<Record<string, AllowedValues>> = {
    TIDINGS_LOG: LEVELS,
    TIDINGS_METRICS_NAMESPACE: TEXT,
    TIDINGS_TOKEN_ISSUER: TEXT,
    TIDINGS_TOKEN_AUDIENCE: TEXT,
    TIDINGS_TOKEN_LIFETIME_MS: MILLISECONDS,
    TIDINGS_HUBS_CLAIMS: matching("names with commas between", /./s),
    // Cookie names (https://www.rfc-editor.org/rfc/rfc6265#section-4.1.1).
    TIDINGS_JWT_COOKIES: matching("a list with commas between", /^ *[\w!#$%&'*+.^`|~-]+ *(, *[\w!#$%&'*+.^`|~-]+ *)*$/),
    TIDINGS_SHARED_USER_IDS: REFUSE_OR_ALLOW,
    TIDINGS_HMAC_REPLAY: REFUSE_OR_ALLOW,
    TIDINGS_ROW_LIFETIME_MS: MILLISECONDS,
    TIDINGS_DEFAULT_FORMAT: words("single, batch or raw"),
    TIDINGS_RETRY_INITIAL_MS: MILLISECONDS,
    TIDINGS_RETRY_MAX_MS: MILLISECONDS,
    TIDINGS_SEND_POLICY: words("off, same-hub or anyone"),
    // The function alone knows which characters a hub's name has.
    TIDINGS_EVERYONE_HUB: matching("a hub's name of 1 to 124 characters", /^\S{1,124}$/),
    TIDINGS_PRESENCE: FLAG,
    TIDINGS_RATE_PER_CONNECTION: RATE,
    TIDINGS_RATE_PER_USER: RATE,
    TIDINGS_ARRIVALS_PER_USER: RATE,
    TIDINGS_ACKNOWLEDGEMENTS_PER_USER: RATE,
    TIDINGS_RECIPIENTS_PER_USER: RATE,
    TIDINGS_BYTES_PER_USER: RATE,
    TIDINGS_QUOTA_PER_USER: RATE,
    TIDINGS_QUOTA_PER_MAILBOX: RATE,
    TIDINGS_MAX_CONNECTIONS: NUMBER_OR_OFF,
    TIDINGS_TOO_MANY_CONNECTIONS: words("refuse-newest or close-oldest"),
    TIDINGS_CLOSE_WHEN_EXPIRED: FLAG,
    TIDINGS_HISTORY_TTL_DAYS: DAYS,
    TIDINGS_INLINE_DRAIN: NUMBER,
    TIDINGS_REPLAY_DRAIN: NUMBER,
    TIDINGS_MAILBOX_PAGE: NUMBER,
    TIDINGS_HANDSHAKE_GRACE_MS: MILLISECONDS,
    TIDINGS_DROP_HOLD_MS: MILLISECONDS,
    TIDINGS_TIME_RESERVE_MS: TIME_RESERVE,
    TIDINGS_FAN_OUT_MEMBERS: NUMBER,
    TIDINGS_HISTORY_PAYLOADS: FLAG,
    TIDINGS_RAW_WITHOUT_SENDER: FLAG,
    TIDINGS_SET_ASIDE_AFTER: NUMBER_OR_OFF,
    TIDINGS_REPLAY_KEYS: NUMBER,
    TIDINGS_REPLAY_CONCURRENCY: NUMBER,
};

/** Returns what is wrong with the value of a setting, or `undefined`. The functions read an empty value as not set. */
export function refusedValue(name: string, value: string): string | undefined {
    const allowed = SETTING_VALUES[name];
    return allowed === undefined || value === "" || allowed.accepts(value, name) ? undefined : allowed.expected;
}
