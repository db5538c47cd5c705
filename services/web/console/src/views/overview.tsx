import { useMemo, useState } from "preact/hooks";
import { Figures } from "../parts/figures.tsx";
import { PlotFigure } from "../parts/plot-figure.tsx";
import type { Feed } from "../state/feed.ts";
import { PLOTS, columns } from "../state/series.ts";

const SPANS = [
    { label: "1 min", span: 60_000 },
    { label: "5 min", span: 300_000 },
    { label: "15 min", span: 900_000 },
] as const;

/** What the server is doing: numbers, and how they came to be. */
export function Overview({ feed, stale }: { readonly feed: Feed; readonly stale: boolean }) {
    const [span, setSpan] = useState<number>(300_000);
    const { snapshots } = feed;
    const plots = useMemo(
        () => PLOTS.map((plot) => ({ plot, data: columns(plot, snapshots, span) })),
        [snapshots, span],
    );
    return (
        <div class={stale ? "stale" : undefined}>
            <h2 class="visually-hidden">Overview</h2>
            <Figures snapshots={snapshots} />
            <fieldset class="spans">
                <legend>Plots of the last</legend>
                {SPANS.map(({ label, span: choice }) => (
                    <label key={choice}>
                        <input
                            type="radio"
                            name="span"
                            checked={choice === span}
                            onChange={() => {
                                setSpan(choice);
                            }}
                        />
                        {label}
                    </label>
                ))}
            </fieldset>
            <div class="plots">
                {plots.map(({ plot, data }) => (
                    <PlotFigure key={plot.id} plot={plot} data={data} span={span} />
                ))}
            </div>
        </div>
    );
}
