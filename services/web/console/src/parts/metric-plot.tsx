import { formatNumber, timeWithSeconds } from "../state/format.ts";
import { type Columns, type PlotDefinition, rowsOf } from "../state/plots.ts";
import { Plot } from "./plot.tsx";

/** Approximate number of rows in the table of a plot. */
const ROWS = 15;

interface Props {
    readonly plot: PlotDefinition;
    readonly data: Columns;
    readonly span: number;
}

/** A plot with its legend, and a table with the same values. */
export function MetricPlot({ plot, data, span }: Props) {
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
                            {label} <strong>{formatNumber(lines[at]?.at(-1) ?? null)}</strong>
                        </li>
                    ))}
                </ul>
            </figcaption>
            <Plot data={data} span={span} label={`${plot.title}${unit}: ${summary(plot, lines)}`} />
            <details>
                <summary>
                    Values<span class="visually-hidden">: {plot.title}</span>
                </summary>
                <table class="numbers">
                    <thead>
                        <tr>
                            <th scope="col">Time</th>
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
                                    <td key={index}>{formatNumber(value)}</td>
                                ))}
                            </tr>
                        ))}
                    </tbody>
                </table>
            </details>
        </figure>
    );
}

/** Returns a text alternative of the plot: the current value and the maximum of each line. */
function summary({ series }: PlotDefinition, lines: readonly (readonly (number | null)[])[]): string {
    const parts = series.map(({ label }, at) => {
        const values = (lines[at] ?? []).filter((value) => value !== null);
        if (values.length === 0) return `${label} has no values`;
        const [now, maximum] = [values.at(-1) ?? 0, values.reduce((a, b) => Math.max(a, b))];
        return `${label} ${formatNumber(now)} now, maximum ${formatNumber(maximum)}`;
    });
    return parts.join("; ");
}
