import type { Credential } from "./credential.ts";

// The credential is in `sessionStorage`, not in a cookie, because each tab may belong to another user, and because
// other sites' pages can't use it. A reload keeps it; closing the tab deletes it. A malicious script in this page could
// read it there, just as it could connect with a cookie that scripts can't read. The same measures keep such scripts
// out in both cases: the Content-Security-Policy allows only scripts of this server, the page loads nothing from
// elsewhere, and messages are only ever put into text nodes. A stolen credential is valid until the login expires.
const CREDENTIAL = "tidings.credential";
const SETTINGS = "tidings.settings";

/** The user's settings in this tab. */
export interface Settings {
    /** Milliseconds online after which to go offline; 0 for never. */
    readonly disconnectAfter: number;
    /** Time at which to go offline, in milliseconds since the Unix epoch. */
    readonly disconnectAt?: number;
    /** Present while the user is offline by choice. */
    readonly offline?: { readonly since: number; readonly by: "user" | "timer" };
}

/** Stores the credential of the logged-in user. */
export function saveCredential(credential: Credential): void {
    write(CREDENTIAL, credential);
}

/** Returns the stored credential, if there is one that has not expired at the time `now`. */
export function loadCredential(now: number): Credential | undefined {
    const found = read(CREDENTIAL) as Partial<Credential> | undefined;
    if (typeof found?.idToken !== "string" || typeof found.userId !== "string") return undefined;
    if (found.expiresAt !== undefined && found.expiresAt <= now) {
        clear();
        return undefined;
    }
    const { idToken, userId, expiresAt, guest = false, handshake = "token" } = found;
    return { idToken, userId, guest, handshake, ...(expiresAt === undefined ? {} : { expiresAt }) };
}

/** Deletes the credential and the settings. */
export function clear(): void {
    try {
        sessionStorage.removeItem(CREDENTIAL);
        sessionStorage.removeItem(SETTINGS);
    } catch {
        // Where storage is not allowed, nothing is stored.
    }
}

/** Stores the user's settings. */
export function saveSettings(settings: Settings): void {
    write(SETTINGS, settings);
}

/** Returns the stored settings, or the defaults. */
export function loadSettings(): Settings {
    const found = read(SETTINGS) as Partial<Settings> | undefined;
    return { disconnectAfter: 0, ...found };
}

function write(name: string, value: unknown): void {
    try {
        sessionStorage.setItem(name, JSON.stringify(value));
    } catch {
        // The browser may not allow storage. Then a reload logs out.
    }
}

function read(name: string): unknown {
    try {
        const text = sessionStorage.getItem(name);
        return text === null ? undefined : JSON.parse(text);
    } catch {
        return undefined;
    }
}
