import { Problem } from "@tidings/common/server";

/** What went wrong with a login, for people. */
export function inPlainWords(error: unknown): string {
    if (!(error instanceof Problem)) return "Something went wrong in this page. Reload it and try again.";
    switch (error.status) {
        case 0:
            return "The server can’t be reached. Try again in a moment.";
        case 400:
            return "User name and password can’t be like this. Check them and try again.";
        case 401:
        case 403:
            return "User name or password is wrong. Check both and try again.";
        case 404:
            return "This server doesn’t offer that way in.";
        case 429:
            return "Too many attempts in a short time. Wait a moment and try again.";
        default:
            return `The server had a problem (${error.status}). Try again in a moment.`;
    }
}
