import { type Columns, type PlotDefinition, rowsOf } from "../state/series.ts";
import { figure, timeWithSeconds } from "../state/words.ts";
import { Plot } from "./plot.tsx";

/** About how many rows the table of a plot has. */
const ROWS = 15;

interface Properties {
    readonly plot: PlotDefinition;
    readonly data: Columns;
    readonly span: number;
}

/** A plot with its legend, and the same in numbers for who can't see it. */
export function PlotFigure({ plot, data, span }: Properties) {
    const [, ...lines] = data;
    const unit = plot.unit === "" ? "" : ` ${plot.unit}`;
    return (
        <figure class="plot">
            <figcaption>
                <h3>
                    {plot.title}
                    {plot.unit !== "" && <span class="unit">, {plot.unit}</span>}
                </h3>
                <ul class="legend numbers">
                    {plot.series.map(({ label }, at) => (
                        <li key={label}>
                            <span class={`swatch line-${at + 1}`} aria-hidden="true" />
                            {label} <strong>{figure(lines[at]?.at(-1) ?? null)}</strong>
                        </li>
                    ))}
                </ul>
            </figcaption>
            <Plot data={data} span={span} label={`${plot.title}${unit}: ${summary(plot, lines)}`} />
            <details>
                <summary>
                    In numbers<span class="visually-hidden">: {plot.title}</span>
                </summary>
                <table class="numbers">
                    <thead>
                        <tr>
                            <th scope="col">Until</th>
                            {plot.series.map(({ label }) => (
                                <th key={label} scope="col">
                                    {label}
                                </th>
                            ))}
                        </tr>
                    </thead>
                    <tbody>
                        {rowsOf(data, ROWS).map(({ at, values }) => (
                            <tr key={at}>
                                <th scope="row">{timeWithSeconds(at)}</th>
                                {values.map((value, index) => (
                                    <td key={index}>{figure(value)}</td>
                                ))}
                            </tr>
                        ))}
                    </tbody>
                </table>
            </details>
        </figure>
    );
}

/** The plot in a sentence. */
function summary({ series }: PlotDefinition, lines: readonly (readonly (number | null)[])[]): string {
    const parts = series.map(({ label }, at) => {
        const values = (lines[at] ?? []).filter((value) => value !== null);
        if (values.length === 0) return `${label} has no values`;
        const [now, most] = [values.at(-1) ?? 0, values.reduce((a, b) => Math.max(a, b))];
        return `${label} ${figure(now)} now, at most ${figure(most)}`;
    });
    return parts.join("; ");
}
