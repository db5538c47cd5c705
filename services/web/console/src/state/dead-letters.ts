import { count, many } from "./words.ts";

/** What is asked before dead letters are touched. */
interface Asked {
    readonly title: string;
    readonly consequence: string;
    readonly action: string;
    readonly refusal: string;
    readonly dangerous: boolean;
}

/** The question before `number` dead letters are redriven or dropped; `user` says whose a single one is. */
export function ask(verb: "redrive" | "drop", number: number, user?: string): Asked {
    const these = user === undefined ? many(number, "dead letter") : `the dead letter of ${user}`;
    const they = number === 1 ? "It is" : `All ${count(number)} are`;
    if (verb === "redrive") {
        return {
            title: `Redrive ${these}?`,
            consequence: `${they} accepted anew with a new place in the user’s order, and delivered or held like any other. What made it fail may make it fail again.`,
            action: `Redrive ${these}`,
            refusal: "Not now",
            dangerous: false,
        };
    }
    return {
        title: `Drop ${these}?`,
        consequence: `${they} deleted for good. Nobody will get ${number === 1 ? "this notification" : "these notifications"}, and this can’t be undone.`,
        action: `Drop ${these}`,
        refusal: number === 1 ? "Keep it" : "Keep them",
        dangerous: true,
    };
}

/** What was done, in a sentence. */
export function outcome(verb: "redrive" | "drop", number: number): string {
    const were = number === 1 ? "was" : "were";
    return `${many(number, "dead letter")} ${were} ${verb === "redrive" ? "redriven" : "dropped"}.`;
}
