// A push server as a team would write it with Bun. Connections, and the notifications of users without one, are in memory.
// With the argument `corked`, all that a request has for a user is written at once
// (https://bun.com/docs/api/websockets#cork).
const isCorked = process.argv[2] === "corked";
const sockets = new Map();
const waiting = new Map();

function hold(userId, texts) {
  const list = waiting.get(userId);
  if (list) list.push(...texts);
  else waiting.set(userId, texts);
}

function deliver({ userId, payload }) {
  const text = JSON.stringify(payload);
  const socket = sockets.get(userId);
  if (socket) socket.send(text);
  else hold(userId, [text]);
}

function deliverCorked(notifications) {
  const texts = new Map();
  for (const { userId, payload } of notifications) {
    const list = texts.get(userId);
    if (list) list.push(JSON.stringify(payload));
    else texts.set(userId, [JSON.stringify(payload)]);
  }
  for (const [userId, list] of texts) {
    const socket = sockets.get(userId);
    if (socket) socket.cork(() => list.forEach((text) => socket.send(text)));
    else hold(userId, list);
  }
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request, server) {
    if (request.method === "GET") {
      const user = new URL(request.url).searchParams.get("user");
      return server.upgrade(request, { data: { user } }) ? undefined : new Response(null, { status: 400 });
    }
    const lines = (await request.text()).split("\n").filter((line) => line !== "");
    const notifications = lines.map((line) => JSON.parse(line));
    if (isCorked) deliverCorked(notifications);
    else notifications.forEach(deliver);
    return Response.json({ accepted: notifications.length, refused: 0 }, { status: 202 });
  },
  websocket: {
    open(socket) {
      const { user } = socket.data;
      sockets.set(user, socket);
      const texts = waiting.get(user) ?? [];
      waiting.delete(user);
      if (isCorked) socket.cork(() => texts.forEach((text) => socket.send(text)));
      else texts.forEach((text) => socket.send(text));
    },
    message() {},
    close(socket) {
      if (sockets.get(socket.data.user) === socket) sockets.delete(socket.data.user);
    },
  },
});

console.log(JSON.stringify({ url: `http://127.0.0.1:${server.port}` }));
