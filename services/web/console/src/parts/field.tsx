import type { JSX } from "preact";

/** Attributes that connect a control to its label and its error message. */
interface Attributes {
    readonly id: string;
    readonly "aria-invalid": boolean;
    readonly "aria-describedby": string;
}

interface Props {
    readonly id: string;
    readonly label: string;
    readonly error: string | undefined;
    readonly children: (attributes: Attributes) => JSX.Element;
}

/** A control with its label, and its error message below. */
export function Field({ id, label, error, children }: Props) {
    const describedBy = `${id}-error`;
    return (
        <div>
            <label for={id}>{label}</label>
            {children({ id, "aria-invalid": error !== undefined, "aria-describedby": describedBy })}
            <p id={describedBy} class="field-error" role="alert">
                {error}
            </p>
        </div>
    );
}
