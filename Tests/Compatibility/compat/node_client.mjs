// The WebSocket of Node or Deno: `node node_client.mjs URL`. Events go to standard output, commands come
// by standard input, an object a line each.
import process from "node:process";
import { createInterface } from "node:readline";

const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const socket = new WebSocket(process.argv[2]);
socket.onopen = () => tell({ open: true });
socket.onmessage = ({ data }) => tell({ text: data });
socket.onclose = ({ code, wasClean }) => tell({ closed: code, wasClean });

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if ("send" in command) socket.send(command.send);
  if ("close" in command) socket.close(command.close);
}
