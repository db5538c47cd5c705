import type { JSX } from "preact";

/** What ties a control to its label and to what is wrong with it. */
interface Attributes {
    readonly id: string;
    readonly "aria-invalid": boolean;
    readonly "aria-describedby": string;
}

interface Properties {
    readonly id: string;
    readonly label: string;
    readonly mistake: string | undefined;
    readonly children: (attributes: Attributes) => JSX.Element;
}

/** A control with its label, and below it what is wrong with what stands there. */
export function Field({ id, label, mistake, children }: Properties) {
    const describedBy = `${id}-mistake`;
    return (
        <div>
            <label for={id}>{label}</label>
            {children({ id, "aria-invalid": mistake !== undefined, "aria-describedby": describedBy })}
            <p id={describedBy} class="mistake" role="alert">
                {mistake}
            </p>
        </div>
    );
}
