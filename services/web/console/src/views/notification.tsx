import type { Api } from "../api.ts";
import { NotificationTimeline } from "../parts/timeline.tsx";
import type { Rights } from "../state/rights.ts";

interface Props {
    readonly api: Api;
    readonly rights: Rights;
    readonly user: string;
    readonly id: string;
}

/** The timeline of a notification. */
export function NotificationView({ api, rights, user, id }: Props) {
    return (
        <>
            <h2>Notification timeline</h2>
            <NotificationTimeline key={`${user} ${id}`} api={api} rights={rights} user={user} id={id} />
        </>
    );
}
