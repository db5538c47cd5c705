import type { Credential } from "./credential.ts";

// Why sessionStorage. A script that gets into this page could read the credential there, as it could ask for a
// connection in the user's name if the credential were in a cookie that scripts can't read. What keeps scripts out is
// the same for both: the Content-Security-Policy allows only those of this server, the page loads nothing from
// elsewhere, and what others write is only ever put into text nodes. What is stolen is good until the login ends, and no
// longer. A cookie would besides be all tabs': each tab may be another person here, and other sites' pages could
// make use of it. The storage is the tab's own, lasts over a reload, and is gone with the tab.
const CREDENTIAL = "tidings.credential";
const SETTINGS = "tidings.settings";

/** What a user has chosen, for this tab. */
export interface Settings {
    /** After how many milliseconds to disconnect; 0 for never. */
    readonly disconnectAfter: number;
    /** When that is. */
    readonly disconnectAt?: number;
    /** Whether they have gone offline. */
    readonly away?: { readonly since: number; readonly by: "user" | "timer" };
}

/** Remembers who is logged in here. */
export function keep(credential: Credential): void {
    write(CREDENTIAL, credential);
}

/** Who is logged in here, if they still are. */
export function kept(now: number): Credential | undefined {
    const found = parsed(CREDENTIAL) as Partial<Credential> | undefined;
    if (typeof found?.idToken !== "string" || typeof found.userId !== "string") return undefined;
    if (found.expiresAt !== undefined && found.expiresAt <= now) {
        forget();
        return undefined;
    }
    const { idToken, userId, expiresAt, guest = false, handshake = "token" } = found;
    return { idToken, userId, guest, handshake, ...(expiresAt === undefined ? {} : { expiresAt }) };
}

/** Forgets who was logged in here, and what they had chosen. */
export function forget(): void {
    try {
        sessionStorage.removeItem(CREDENTIAL);
        sessionStorage.removeItem(SETTINGS);
    } catch {
        // Where nothing may be stored, nothing is.
    }
}

/** Remembers what the user has chosen. */
export function keepSettings(settings: Settings): void {
    write(SETTINGS, settings);
}

/** What the user had chosen. */
export function keptSettings(): Settings {
    const found = parsed(SETTINGS) as Partial<Settings> | undefined;
    return { disconnectAfter: 0, ...found };
}

function write(name: string, value: unknown): void {
    try {
        sessionStorage.setItem(name, JSON.stringify(value));
    } catch {
        // A browser may be set to store nothing: then a reload logs out.
    }
}

function parsed(name: string): unknown {
    try {
        const text = sessionStorage.getItem(name);
        return text === null ? undefined : JSON.parse(text);
    } catch {
        return undefined;
    }
}
