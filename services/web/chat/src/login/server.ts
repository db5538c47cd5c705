import { ask } from "@tidings/common/server";
import { type Credential, type Handshake, claimsOf } from "./credential.ts";

/** What a server says about itself, as far as the page needs it. */
export interface Info {
    readonly development: boolean;
    readonly handshake: readonly string[];
    readonly login: {
        readonly guests: boolean;
        /** Users whose passwords everybody may know; in development alone. */
        readonly users?: readonly { readonly username: string; readonly password: string }[];
    };
    /** Who may send to whom. */
    readonly sending: "off" | "same-hub" | "anyone";
    /** The hub of everyone, if there is one. */
    readonly everyone: string | null;
    readonly presence: boolean;
    readonly history: boolean;
    readonly maxMessageBytes: number;
}

/** @throws Problem */
export async function info(): Promise<Info> {
    return (await ask("/v1/info")) as Info;
}

interface Login {
    readonly idToken: string;
    readonly expiresAt: number;
}

/** Logs a user in. @throws Problem */
export async function logIn(username: string, password: string, handshake: Handshake): Promise<Credential> {
    const { idToken, expiresAt } = (await ask("/v1/login", { body: { username, password } })) as Login;
    return { userId: claimsOf(idToken)?.userId ?? username, guest: false, idToken, expiresAt, handshake };
}

/** Lets somebody in who has no account. @throws Problem */
export async function logInAsGuest(handshake: Handshake): Promise<Credential> {
    const { userId, idToken, expiresAt } = (await ask("/v1/guest", { method: "POST" })) as Login & { userId: string };
    return { userId, guest: true, idToken, expiresAt, handshake };
}

/** A connect token, good once and for a moment. @throws Problem */
export async function connectToken(idToken: string): Promise<string> {
    const { token } = (await ask("/v1/token", { method: "POST", bearer: idToken })) as { token: string };
    return token;
}

/** The ways to connect that the server has and the page can go. */
export function handshakesOf({ handshake }: Info): readonly Handshake[] {
    return (["token", "jwt"] as const).filter((method) => handshake.includes(method));
}
