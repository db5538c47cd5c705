import type { ConfirmationTexts } from "./confirmation.ts";
import { formatCount, pluralize } from "./format.ts";

/** Returns the texts of the confirmation for `count` dead letters, or for the single dead letter of `user`. */
export function confirmationOf(verb: "redrive" | "purge", count: number, user?: string): ConfirmationTexts {
    const subject = user === undefined ? pluralize(count, "dead letter") : `the dead letter of ${user}`;
    const they = count === 1 ? "It is" : `All ${formatCount(count)} are`;
    if (verb === "redrive") {
        return {
            title: `Redrive ${subject}?`,
            consequence: `${they} accepted again, after the newer notifications of the user, and then delivered or held. The cause of the failure may still be there.`,
            action: `Redrive ${subject}`,
            refusal: "Cancel",
            dangerous: false,
        };
    }
    return {
        title: `Purge ${subject}?`,
        consequence: `${they} deleted for good. Nobody will get ${count === 1 ? "this notification" : "these notifications"}, and this can’t be undone.`,
        action: `Purge ${subject}`,
        refusal: count === 1 ? "Keep it" : "Keep them",
        dangerous: true,
    };
}

/** Returns the message after `count` dead letters were redriven or purged. */
export function resultMessage(verb: "redrive" | "purge", count: number): string {
    const were = count === 1 ? "was" : "were";
    return `${pluralize(count, "dead letter")} ${were} ${verb === "redrive" ? "redriven" : "purged"}.`;
}
