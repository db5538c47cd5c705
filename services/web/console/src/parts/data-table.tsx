import type { ComponentChildren } from "preact";

/** A column of a table. */
export interface Column {
    readonly label: string;
    /** Aligns the column to the right. */
    readonly numeric?: boolean;
    /** Shows the label to screen readers only. */
    readonly hidden?: boolean;
}

interface Props {
    /** Name of the table for screen readers. */
    readonly label: string;
    readonly columns: readonly Column[];
    /** The rows. */
    readonly children: ComponentChildren;
}

/** A table that scrolls horizontally on a small screen. */
export function DataTable({ label, columns, children }: Props) {
    return (
        <div class="scroll" role="region" aria-label={label} tabIndex={0}>
            <table>
                <thead>
                    <tr>
                        {columns.map((column) => (
                            <th key={column.label} scope="col" class={column.numeric === true ? "number" : undefined}>
                                {column.hidden === true ? (
                                    <span class="visually-hidden">{column.label}</span>
                                ) : (
                                    column.label
                                )}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody>{children}</tbody>
            </table>
        </div>
    );
}
