import { expect, test } from "vitest";
import { type Received, read } from "../src/state/read.ts";

function said(received: Partial<Received>) {
    const { place, from, text, kind, at, key, name } = read(
        { id: "n1", sequence: "1", at: 1000, ...received },
        "alice",
        "everyone",
    );
    return { place, from, text, kind, at, key, name };
}

const message = { kind: "message", key: "n1", at: 1000, name: undefined };

test("a text to a hub", () => {
    const payload = { message: "[…] bob  hi", text: "hi", sender: "bob", senderName: "Bob", hub: "team", timestamp: 7 };
    expect(said({ kind: "sendmessage", payload })).toEqual({
        ...message,
        place: "hub:team",
        from: "bob",
        name: "Bob",
        text: "hi",
        at: 7,
    });
});

test.each([
    ["all", "hub:everyone"],
    [{ hub: "team" }, "hub:team"],
    [{ user: "alice" }, "user:bob"],
    ["alice", "user:bob"],
])("a message to %j", (recipient, place) => {
    const payload = { action: "message", data: { content: "hi", sender: "bob", recipient, timestamp: 7 } };
    expect(said({ kind: "message", payload })).toEqual({ ...message, place, from: "bob", text: "hi", at: 7 });
});

test("a message to users is from whom the gateway says, whatever it says itself", () => {
    const payload = { action: "sendMessage", text: "hi", to: "carol", key: "k", sender: "eve" };
    expect(said({ kind: "sendMessage", source: "user/bob", payload })).toEqual({
        ...message,
        place: "user:bob",
        from: "bob",
        text: "hi",
    });
});

test("one's own message to a user is in the conversation with them", () => {
    const payload = { action: "sendMessage", text: "hi", to: "carol", key: "k" };
    expect(said({ kind: "sendMessage", source: "user/alice", payload })).toEqual({
        ...message,
        key: "k",
        place: "user:carol",
        from: "alice",
        text: "hi",
    });
});

test("who comes and goes", () => {
    const payload = { message: "…", presence: "left", userId: "bob", hub: "everyone", timestamp: 1 };
    expect(said({ kind: "presence", source: "user/bob", payload })).toEqual({
        ...message,
        kind: "left",
        place: "hub:everyone",
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
])("what a program sends: %j", (payload, text) => {
    const from = "builds";
    expect(said({ kind: "build", source: from, payload })).toEqual({ ...message, place: "programs", from, text });
});

test.each(["sendmessage", "message", "presence", "sendMessage"])("a %s of another form is a program's", (kind) => {
    expect(said({ kind, payload: { n: 1 } }).place).toBe("programs");
});
