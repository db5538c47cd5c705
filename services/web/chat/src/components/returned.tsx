import type { JSX } from "preact";
import type { Place, State } from "../state/types.ts";
import { nameOf } from "../state/view.ts";

interface Props {
    readonly state: State;
    readonly everyone: string | null;
    readonly choose: (place: Place) => void;
}

/** Says in which other conversations something was held, until they are looked at. */
export function Returned({ state, everyone, choose }: Props): JSX.Element | null {
    const last = state.absences.length;
    const counts = new Map<Place, number>();
    for (const { place, absence } of state.entries) {
        const waits = (state.unread[place]?.count ?? 0) > 0 && place !== state.place;
        if (absence === last && waits) counts.set(place, (counts.get(place) ?? 0) + 1);
    }
    if (counts.size === 0 || state.link.status !== "open") return null;
    const sum = [...counts.values()].reduce((total, count) => total + count, 0);
    return (
        <section class="band back" aria-label="Held messages">
            <p>
                <strong>{sum === 1 ? "1 message was" : `${sum} messages were`} held while you were away.</strong>
            </p>
            {[...counts].map(([place, count]) => (
                <button
                    type="button"
                    key={place}
                    onClick={() => {
                        choose(place);
                    }}
                >
                    Read {count} from {nameOf(state, place, everyone)}
                </button>
            ))}
        </section>
    );
}
