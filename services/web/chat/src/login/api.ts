import { request } from "@tidings/common/server";
import { type Credential, type Handshake, decodeClaims } from "./credential.ts";

/** Description of the server, as far as the page needs it. */
export interface Info {
    readonly development: boolean;
    readonly handshake: readonly string[];
    readonly login: {
        readonly guests: boolean;
        /** Demo users with public passwords. Only in development mode. */
        readonly users?: readonly { readonly username: string; readonly password: string }[];
    };
    /** Policy for messages between clients. */
    readonly sending: "off" | "same-hub" | "anyone";
    /** Name of the hub of everyone, if there is one. */
    readonly everyone: string | null;
    readonly presence: boolean;
    readonly history: boolean;
    readonly maxMessageBytes: number;
}

/** Fetches the server's description. @throws Problem */
export async function fetchInfo(): Promise<Info> {
    return (await request("/v1/info")) as Info;
}

interface Login {
    readonly idToken: string;
    readonly expiresAt: number;
}

/** Logs a user in. @throws Problem */
export async function logIn(username: string, password: string, handshake: Handshake): Promise<Credential> {
    const { idToken, expiresAt } = (await request("/v1/login", { body: { username, password } })) as Login;
    return { userId: decodeClaims(idToken)?.userId ?? username, guest: false, idToken, expiresAt, handshake };
}

/** Logs in as a new guest. @throws Problem */
export async function logInAsGuest(handshake: Handshake): Promise<Credential> {
    const login = (await request("/v1/guest", { method: "POST" })) as Login & { userId: string };
    const { userId, idToken, expiresAt } = login;
    return { userId, guest: true, idToken, expiresAt, handshake };
}

/** Fetches a short-lived, single-use connect token. @throws Problem */
export async function fetchConnectToken(idToken: string): Promise<string> {
    const { token } = (await request("/v1/token", { method: "POST", bearer: idToken })) as { token: string };
    return token;
}

/** Returns the handshakes that both the server and the page support. */
export function handshakesOf({ handshake }: Info): readonly Handshake[] {
    return (["token", "jwt"] as const).filter((method) => handshake.includes(method));
}
