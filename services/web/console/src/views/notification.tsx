import type { Api } from "../api.ts";
import { NotificationTimeline } from "../parts/timeline.tsx";

/** The timeline of a notification. */
export function NotificationView({ api, user, id }: { readonly api: Api; readonly user: string; readonly id: string }) {
    return (
        <>
            <h2>Notification timeline</h2>
            <NotificationTimeline key={`${user} ${id}`} api={api} user={user} id={id} />
        </>
    );
}
