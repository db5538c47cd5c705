import { dateAndTime } from "@tidings/common/format";
import type { DeadLetter } from "../api.ts";
import { age } from "../state/format.ts";
import { notificationAddress, userAddress } from "../state/route.ts";
import { DataTable } from "./data-table.tsx";

interface Props {
    readonly items: readonly DeadLetter[];
    readonly now: number;
    /** Asks for confirmation of an action on a dead letter. Absent if the operator may not act. */
    readonly confirm: ((verb: "redrive" | "purge", letter: DeadLetter) => void) | undefined;
}

const COLUMNS = [
    { label: "Notification" },
    { label: "User" },
    { label: "Reason" },
    { label: "Failed" },
    { label: "Actions", hidden: true },
];

/** Dead letters, with buttons to redrive and purge each. */
export function DeadLettersTable({ items, now, confirm }: Props) {
    return (
        <DataTable label="Dead letters" columns={COLUMNS}>
            {items.map((letter) => (
                <tr key={letter.id}>
                    <th scope="row" class="mono">
                        {letter.notificationId === undefined ? (
                            "unreadable"
                        ) : (
                            <a href={notificationAddress(letter.userId, letter.notificationId)}>{letter.notificationId}</a>
                        )}
                    </th>
                    <td>
                        <a href={userAddress(letter.userId)}>{letter.userId}</a>
                    </td>
                    <td class="wide">{letter.reason}</td>
                    <td class="numbers" title={dateAndTime(letter.since)}>
                        {age(letter.since, now)} ago
                    </td>
                    <td class="number">
                        <span class="buttons">
                            {confirm !== undefined && (["redrive", "purge"] as const).map((verb) => (
                                <button
                                    key={verb}
                                    class={verb === "purge" ? "small danger" : "small"}
                                    onClick={() => {
                                        confirm(verb, letter);
                                    }}
                                >
                                    {verb === "purge" ? "Purge" : "Redrive"}
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
        </DataTable>
    );
}
