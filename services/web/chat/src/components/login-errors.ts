import { Problem } from "@tidings/common/server";

/** Says why a login failed, and what the user can do. */
export function describeLoginError(error: unknown): string {
    if (!(error instanceof Problem)) return "Something went wrong in this page. Reload it and try again.";
    switch (error.status) {
        case 0:
            return "The server can’t be reached. Try again in a moment.";
        case 400:
            return "This user name or password is not valid. Check both and try again.";
        case 401:
        case 403:
            return "Wrong user name or password. Check both and try again.";
        case 404:
            return "This server doesn’t offer this kind of login. Choose another one.";
        case 429:
            return "Too many attempts in a short time. Wait a moment and try again.";
        default:
            return `The server has a problem (HTTP status ${error.status}). Try again in a moment.`;
    }
}
