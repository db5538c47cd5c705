import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { formatNumber } from "../state/format.ts";
import type { Columns } from "../state/plots.ts";

/** Height in pixels. */
const HEIGHT = 150;

/** Dash patterns, so that the lines differ not only by colour: solid, dashed, dotted. */
const DASHES: readonly number[][] = [[], [7, 4], [2, 3]];

/** Distances between grid lines: whole numbers, because values are mostly counts. */
const GRID_STEPS = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

interface Props {
    readonly data: Columns;
    readonly span: number;
    /** Text alternative. */
    readonly label: string;
}

/** A plot over time. It takes its colours from the style sheet, and follows changes between light and dark. */
export function Plot({ data, span, label }: Props) {
    const place = useRef<HTMLDivElement>(null);
    const plot = useRef<uPlot | undefined>(undefined);
    const latest = useRef({ data, span });
    latest.current = { data, span };
    const lines = data.length - 1;
    useEffect(() => {
        const target = place.current;
        if (target === null) return;
        const make = (): void => {
            plot.current?.destroy();
            plot.current = new uPlot(options(target, lines, () => latest.current), latest.current.data, target);
        };
        make();
        const sizes = new ResizeObserver(() => {
            plot.current?.setSize({ width: target.clientWidth, height: HEIGHT });
        });
        sizes.observe(target);
        const dark = matchMedia("(prefers-color-scheme: dark)");
        dark.addEventListener("change", make);
        return () => {
            dark.removeEventListener("change", make);
            sizes.disconnect();
            plot.current?.destroy();
            plot.current = undefined;
        };
    }, [lines]);
    useEffect(() => {
        plot.current?.setData(data);
    }, [data, span]);
    return <div class="canvas" ref={place} role="img" aria-label={label} />;
}

/** Returns the current colour of a CSS class. */
function colour(place: HTMLElement, name: string): string {
    const probe = document.createElement("span");
    probe.className = name;
    place.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
}

/** Returns true for a time range of several minutes, given in seconds. */
function isLong(from: number, to: number): boolean {
    return to - from >= 120;
}

function options(place: HTMLElement, lines: number, latest: () => { data: Columns; span: number }): uPlot.Options {
    const [grid, faint] = [colour(place, "plot-grid"), colour(place, "plot-text")];
    const font = "12px system-ui, sans-serif";
    const axis: uPlot.Axis = { stroke: faint, font, grid: { stroke: grid, width: 1 }, ticks: { show: false }, gap: 6 };
    return {
        width: place.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        padding: [8, 4, 0, 0],
        scales: {
            x: {
                range: () => {
                    const { data, span } = latest();
                    const end = data[0].at(-1) ?? 0;
                    return [end - span / 1000, end];
                },
            },
            // Always show zero, and don't magnify values below 1.
            y: { range: (_, __, maximum) => [0, Math.max(1, maximum * 1.1)] },
        },
        axes: [
            {
                ...axis,
                size: 24,
                // A long time range has labels at whole minutes, which are shorter.
                space: (_, __, from, to) => (isLong(from, to) ? 40 : 62),
                incrs: (_, __, from, to) => (isLong(from, to) ? [60, 120, 300] : [5, 10, 15, 30]),
                values: [
                    [60, "{HH}:{mm}", null, null, null, null, null, null, 1],
                    [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
                ],
            },
            { ...axis, size: 46, space: 32, incrs: GRID_STEPS, values: (_, ticks) => ticks.map((tick) => formatNumber(tick)) },
        ],
        series: [
            {},
            ...Array.from({ length: lines }, (_, at) => ({
                stroke: colour(place, `line-${at + 1}`),
                width: 1.75,
                dash: DASHES[at] ?? [],
                points: { show: false },
                spanGaps: false,
            })),
        ],
    };
}
