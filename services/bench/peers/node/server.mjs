// A push server as a team would write it itself. Connections, and the notifications of users without one, are in memory.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const sockets = new Map();
const waiting = new Map();

function deliver({ userId, payload }) {
  const text = JSON.stringify(payload);
  const socket = sockets.get(userId);
  if (socket) return socket.send(text);
  const list = waiting.get(userId);
  if (list) list.push(text);
  else waiting.set(userId, [text]);
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    let accepted = 0;
    for (const line of Buffer.concat(chunks).toString().split("\n")) {
      if (line === "") continue;
      deliver(JSON.parse(line));
      accepted += 1;
    }
    const answer = JSON.stringify({ accepted, refused: 0 });
    response.writeHead(202, { "content-type": "application/json", "content-length": answer.length });
    response.end(answer);
  });
});

new WebSocketServer({ server, path: "/ws" }).on("connection", (socket, request) => {
  const userId = new URL(request.url, "http://localhost").searchParams.get("user");
  sockets.set(userId, socket);
  socket.on("close", () => {
    if (sockets.get(userId) === socket) sockets.delete(userId);
  });
  socket.on("error", () => socket.terminate());
  for (const text of waiting.get(userId) ?? []) socket.send(text);
  waiting.delete(userId);
});

server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` }));
});
