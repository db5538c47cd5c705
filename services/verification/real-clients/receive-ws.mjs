// Prints every message of a WebSocket as a line, with the package `ws`. Never reconnects.
//
// usage: receive-ws.mjs URL [INTERVAL_SECONDS]
//
// With an interval it detects broken connections as the package's documentation shows: a ping each time, and the end of
// the connection if no pong has come before the next. Exit status 1: the connection has ended.
import { writeSync } from "node:fs";
import { WebSocket } from "ws";

const [url, interval] = process.argv.slice(2);
const socket = new WebSocket(url);
let isAlive = true;

socket.on("pong", () => {
    isAlive = true;
});
socket.on("message", (data) => {
    // Waits while nobody reads. So what is answered by a pong has been printed.
    writeSync(1, `${data}\n`);
});
socket.on("close", (code, reason) => {
    console.error(`closed: ${code} ${reason}`);
    process.exit(1);
});
if (interval !== undefined) {
    setInterval(() => {
        if (!isAlive) return socket.terminate();
        isAlive = false;
        socket.ping();
    }, Number(interval) * 1_000);
}
