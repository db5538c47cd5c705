/** Texts of a confirmation dialog. */
export interface ConfirmationTexts {
    readonly title: string;
    /** Consequence of the action, in a sentence or two. */
    readonly consequence: string;
    /** Label of the button that confirms. */
    readonly action: string;
    /** Label of the button that cancels. */
    readonly refusal: string;
    /** True for an action that destroys something. */
    readonly dangerous: boolean;
}
