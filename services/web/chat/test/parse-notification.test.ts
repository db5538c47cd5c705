import { expect, test } from "vitest";
import { type ReceivedNotification, parseNotification } from "../src/state/parse-notification.ts";

/** Parses a notification for alice and returns the fields that matter here. */
function parse(received: Partial<ReceivedNotification>) {
    const { conversation, from, text, kind, at, key, name } = parseNotification(
        { id: "n1", sequence: "1", at: 1000, ...received },
        "alice",
        "everyone",
    );
    return { conversation, from, text, kind, at, key, name };
}

const message = { kind: "message", key: "n1", at: 1000, name: undefined };

test("a text to a hub is shown in the hub", () => {
    const payload = { message: "[…] bob  hi", text: "hi", sender: "bob", senderName: "Bob", hub: "team", timestamp: 7 };
    expect(parse({ kind: "sendmessage", payload })).toEqual({
        ...message,
        conversation: "hub:team",
        from: "bob",
        name: "Bob (bob)",
        text: "hi",
        at: 7,
    });
});

test.each([
    ["all", "hub:everyone"],
    [{ hub: "team" }, "hub:team"],
    [{ user: "alice" }, "user:bob"],
    ["alice", "user:bob"],
])("a message to %j is shown in %j", (recipient, conversation) => {
    const payload = { action: "message", data: { content: "hi", sender: "bob", recipient, timestamp: 7 } };
    expect(parse({ kind: "message", payload })).toEqual({ ...message, conversation, from: "bob", text: "hi", at: 7 });
});

test("the sender of a direct message is taken from the gateway", () => {
    const payload = { action: "sendMessage", text: "hi", to: "carol", key: "k", sender: "eve" };
    expect(parse({ kind: "sendMessage", source: "user/bob", payload })).toEqual({
        ...message,
        conversation: "user:bob",
        from: "bob",
        text: "hi",
    });
});

test("the user's own copy is shown with the recipient", () => {
    const payload = { action: "sendMessage", text: "hi", to: "carol", key: "k" };
    expect(parse({ kind: "sendMessage", source: "user/alice", payload })).toEqual({
        ...message,
        key: "k",
        conversation: "user:carol",
        from: "alice",
        text: "hi",
    });
});

test("a presence event is shown in the hub", () => {
    const payload = { message: "…", presence: "left", userId: "bob", hub: "everyone", timestamp: 1 };
    expect(parse({ kind: "presence", source: "user/bob", payload })).toEqual({
        ...message,
        kind: "left",
        conversation: "hub:everyone",
        from: "bob",
        text: "",
    });
});

test.each([
    ["build passed", "build passed"],
    [{ text: "build passed", n: 1 }, "build passed"],
    [{ message: "build passed" }, "build passed"],
    [{ n: 1 }, '{\n  "n": 1\n}'],
    [[1, 2], "[1,2]"],
    [null, "null"],
    [7, "7"],
    [undefined, ""],
])("%j of a program is shown as %j", (payload, text) => {
    const from = "builds";
    expect(parse({ kind: "build", source: from, payload })).toEqual({ ...message, conversation: "programs", from, text });
});

test.each(["sendmessage", "message", "presence", "sendMessage"])("a malformed %s is shown as a program's", (kind) => {
    expect(parse({ kind, payload: { n: 1 } }).conversation).toBe("programs");
});

test("a display name has the user id beside it and changes no line", () => {
    const nameOf = (sender: string, senderName: unknown): string | undefined =>
        parse({ kind: "sendmessage", payload: { text: "hi", sender, senderName, hub: "team" } }).name;
    expect(nameOf("mallory", "alice")).toBe("alice (mallory)");
    expect(nameOf("mallory", "\u202eecila\n")).toBe("ecila (mallory)");
    for (const none of ["alice", "", "\u200b", undefined, 7]) expect(nameOf("alice", none)).toBeUndefined();
});
