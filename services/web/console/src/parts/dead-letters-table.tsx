import { dateAndTime } from "@tidings/common/format";
import type { DeadLetter } from "../api.ts";
import { followAddress, userAddress } from "../state/route.ts";
import { ago } from "../state/words.ts";

interface Properties {
    readonly items: readonly DeadLetter[];
    readonly now: number;
    readonly confirm: (verb: "redrive" | "drop", letter: DeadLetter) => void;
}

export function DeadLettersTable({ items, now, confirm }: Properties) {
    return (
        <div class="scroll" role="region" aria-label="Dead letters" tabIndex={0}>
            <table>
                <thead>
                    <tr>
                        <th scope="col">Notification</th>
                        <th scope="col">User</th>
                        <th scope="col">Why</th>
                        <th scope="col">Since</th>
                        <th scope="col">
                            <span class="visually-hidden">What can be done</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {items.map((letter) => (
                        <tr key={letter.id}>
                            <th scope="row" class="mono">
                                {letter.notificationId === undefined ? (
                                    "can’t be read"
                                ) : (
                                    <a href={followAddress(letter.userId, letter.notificationId)}>{letter.notificationId}</a>
                                )}
                            </th>
                            <td>
                                <a href={userAddress(letter.userId)}>{letter.userId}</a>
                            </td>
                            <td class="wide">{letter.reason}</td>
                            <td class="numbers" title={dateAndTime(letter.since)}>
                                {ago(letter.since, now)} ago
                            </td>
                            <td class="number">
                                <span class="buttons">
                                    {(["redrive", "drop"] as const).map((verb) => (
                                        <button
                                            key={verb}
                                            class={verb === "drop" ? "small danger" : "small"}
                                            onClick={() => {
                                                confirm(verb, letter);
                                            }}
                                        >
                                            {verb === "drop" ? "Drop" : "Redrive"}
                                            <span class="visually-hidden">
                                                {" "}
                                                {letter.notificationId ?? letter.id} of {letter.userId}
                                            </span>
                                        </button>
                                    ))}
                                </span>
                            </td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}
