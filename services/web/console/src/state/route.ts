/** What the page shows. */
export type Route =
    | { readonly view: "overview" }
    | { readonly view: "user"; readonly user: string | undefined }
    | { readonly view: "send" }
    | { readonly view: "follow"; readonly user: string; readonly id: string }
    | { readonly view: "dead-letters" };

/** Reads the address after `#`. What is none is the overview. */
export function route(hash: string): Route {
    const parts = hash.replace(/^#\/?/, "").split("/").map(decode);
    const [view, user, id] = parts;
    if (view === "user") return { view, user: user === "" ? undefined : user };
    if (view === "follow" && user !== undefined && id !== undefined) return { view, user, id };
    return view === "send" || view === "dead-letters" ? { view } : { view: "overview" };
}

function decode(part: string): string {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

/** The address of a user's page. */
export function userAddress(user: string): string {
    return `#/user/${encodeURIComponent(user)}`;
}

/** The address of a notification's life. */
export function followAddress(user: string, id: string): string {
    return `#/follow/${encodeURIComponent(user)}/${encodeURIComponent(id)}`;
}
