/** The view that the page shows. */
export type Route =
    | { readonly view: "overview" }
    | { readonly view: "user"; readonly user: string | undefined }
    | { readonly view: "send" }
    | { readonly view: "notification"; readonly user: string; readonly id: string }
    | { readonly view: "dead-letters" };

/** Parses the fragment of the URL. Anything unknown is the overview. */
export function parseRoute(hash: string): Route {
    const parts = hash.replace(/^#\/?/, "").split("/").map(decode);
    const [view, user, id] = parts;
    if (view === "user") return { view, user: user === "" ? undefined : user };
    // `follow` is in addresses of version 0.1.0.
    if ((view === "notification" || view === "follow") && user !== undefined && id !== undefined) {
        return { view: "notification", user, id };
    }
    return view === "send" || view === "dead-letters" ? { view } : { view: "overview" };
}

function decode(part: string): string {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

/** Returns the address of a user. */
export function userAddress(user: string): string {
    return `#/user/${encodeURIComponent(user)}`;
}

/** Returns the address of a notification's timeline. */
export function notificationAddress(user: string, id: string): string {
    return `#/notification/${encodeURIComponent(user)}/${encodeURIComponent(id)}`;
}
