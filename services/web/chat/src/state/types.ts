/** A conversation: a hub that everybody in it hears, one other user, or what programs send. */
export type Place = `hub:${string}` | `user:${string}` | "programs";

/** Who uses the page. */
export interface Me {
    readonly userId: string;
    /** Their name, where that is another than the id. */
    readonly name?: string;
    /** Whether they have no account. */
    readonly guest: boolean;
}

/** What has become of a message of one's own. */
export type Delivery =
    | { readonly status: "sending" }
    /** The gateway wants it later: at this time. */
    | { readonly status: "put-off"; readonly until: number }
    /** The gateway has it, and delivers or holds it. */
    | { readonly status: "accepted" }
    | { readonly status: "failed"; readonly why: string };

/** A line of a conversation. Times are milliseconds since the Unix epoch. */
export interface Entry {
    /** Tells it from all others here: of one's own the idempotency key, of others the notification's id. */
    readonly key: string;
    /** The notification's id, once that is known. */
    readonly id?: string;
    /** Its place in the user's order; those without one are last. */
    readonly sequence?: string;
    readonly place: Place;
    readonly kind: "message" | "joined" | "left";
    /** The user's id, or a program's word for itself. */
    readonly from: string;
    /** The name of who it is from, where that is another than the id. */
    readonly name?: string;
    readonly text: string;
    /** When it was sent. */
    readonly at: number;
    /** The number of the absence it was held in. */
    readonly absence?: number;
    /** Only of one's own messages. */
    readonly delivery?: Delivery;
}

/** How the page is connected. */
export type Link =
    | { readonly status: "connecting"; readonly failures: number }
    | { readonly status: "open"; readonly since: number }
    | {
          /** The connection was lost, and is looked for. */
          readonly status: "lost";
          readonly since: number;
          readonly why: string;
          readonly nextAttemptAt?: number;
          readonly failures: number;
      }
    | {
          /** It was closed on purpose. */
          readonly status: "away";
          readonly since: number;
          /** By the user, or by the time they had chosen. */
          readonly by: "user" | "timer";
      };

/** What has not been read of a conversation. */
export interface Unread {
    readonly count: number;
    /** The first of them; kept as long as the line before it is shown. */
    readonly first: string;
}

/** What is known of the past. */
export type Past =
    | { readonly status: "unknown" | "loading" }
    | {
          readonly status: "known";
          /** Why there is nothing from before, where that is so. */
          readonly without?: "off" | "no-payloads" | "failed";
          /** Where older ones begin. */
          readonly next?: string;
      };

/** An absence: from when to when there was no connection. The page may not know when it began. */
export interface Absence {
    readonly since?: number;
    readonly until: number;
    /** The last that had arrived before. */
    readonly after?: string;
}

/** All there is to show. */
export interface State {
    readonly me: Me | undefined;
    readonly link: Link;
    readonly hubs: readonly string[];
    /** Who is here, and their names. */
    readonly here: ReadonlyMap<string, string>;
    /** Whether `here` is everybody who is here, or just those that were noticed. */
    readonly hereIsKnown: boolean;
    /** In order. */
    readonly entries: readonly Entry[];
    /** Conversations with users that were begun, or are offered. */
    readonly users: readonly string[];
    readonly place: Place;
    readonly hidden: boolean;
    readonly unread: Readonly<Partial<Record<Place, Unread>>>;
    /** How many messages came while the page was hidden. */
    readonly unseen: number;
    readonly past: Past;
    readonly absences: readonly Absence[];
}
