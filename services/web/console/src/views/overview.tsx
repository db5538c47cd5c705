import { useMemo, useState } from "preact/hooks";
import { MetricPlot } from "../parts/metric-plot.tsx";
import { MetricTiles } from "../parts/metric-tiles.tsx";
import type { MetricsFeed } from "../state/metrics-feed.ts";
import { PLOTS, columns } from "../state/plots.ts";

const SPANS = [
    { label: "1 min", span: 60_000 },
    { label: "5 min", span: 300_000 },
    { label: "15 min", span: 900_000 },
] as const;

/** The live metrics: newest values, and plots over time. */
export function Overview({ feed, stale }: { readonly feed: MetricsFeed; readonly stale: boolean }) {
    const [span, setSpan] = useState<number>(300_000);
    const { snapshots } = feed;
    const plots = useMemo(
        () => PLOTS.map((plot) => ({ plot, data: columns(plot, snapshots, span) })),
        [snapshots, span],
    );
    return (
        <div class={stale ? "stale" : undefined}>
            <h2 class="visually-hidden">Overview</h2>
            <MetricTiles snapshots={snapshots} />
            <fieldset class="spans">
                <legend>Time range</legend>
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
                    <MetricPlot key={plot.id} plot={plot} data={data} span={span} />
                ))}
            </div>
        </div>
    );
}
