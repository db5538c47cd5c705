import type { Api } from "../api.ts";
import { LifeOf } from "../parts/life-of.tsx";

/** The life of one notification. */
export function FollowView({ api, user, id }: { readonly api: Api; readonly user: string; readonly id: string }) {
    return (
        <>
            <h2>A notification’s life</h2>
            <LifeOf key={`${user} ${id}`} api={api} user={user} id={id} />
        </>
    );
}
