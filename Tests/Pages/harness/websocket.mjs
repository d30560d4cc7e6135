// A WebSocket for Node over a TCP socket that a test can break: what the client needs of one, and
// `reset`, `cut` and `mute`. Node of Debian has none of its own.
import { randomBytes } from "node:crypto";
import net from "node:net";

const CONTINUATION = 0, TEXT = 1, CLOSE = 8, PING = 9, PONG = 10;

export class TestSocket {
  /** What makes the TCP connection; a test may put another one in its place. */
  static dial = (port, host) => net.connect({ port, host, noDelay: true });

  readyState = 0;
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  #socket;
  #input = Buffer.alloc(0);
  #isUpgraded = false;
  #text = "";
  #close = { code: 1006, reason: "" };
  #isMute = false;

  constructor(url) {
    const { hostname, port, host, pathname, search } = new URL(url);
    this.url = url;
    this.#socket = TestSocket.dial(Number(port || 80), hostname.replace(/^\[|\]$/g, ""));
    this.#socket.on("connect", () => this.#socket.write(
      `GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\n` +
      `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`));
    this.#socket.on("data", (data) => this.#isMute || this.#read(data));
    this.#socket.on("error", (error) => this.onerror?.(error));
    this.#socket.on("close", () => this.#ended());
  }

  send(text) {
    if (this.readyState === 1) this.#write(TEXT, Buffer.from(text));
  }

  /** Begins the closing handshake; as in a browser, the end is told when the other side has answered. */
  close(code = 1000, reason = "") {
    if (this.readyState > 1) return;
    if (this.readyState === 0) return this.#socket.destroy();
    this.readyState = 2;
    const body = Buffer.alloc(2 + Buffer.byteLength(reason));
    body.writeUInt16BE(code);
    body.write(reason, 2);
    this.#write(CLOSE, body);
    // A browser waits for the answer, but not for ever.
    this.#socket.setTimeout(2000, () => this.#socket.destroy());
  }

  // What a test does to it

  /** A TCP reset, to both sides. */
  reset() {
    this.#socket.resetAndDestroy();
  }

  /** The end of the stream without a close frame. */
  cut() {
    this.#socket.destroy();
  }

  /** A black hole: nothing comes or goes any more, and nobody is told. */
  mute() {
    this.#isMute = true;
    this.#socket.pause();
  }

  // Bytes

  #write(opcode, body) {
    if (this.#isMute || this.#socket.destroyed) return;
    const head = body.length < 126 ? Buffer.from([0x80 | opcode, 0x80 | body.length])
      : Buffer.from([0x80 | opcode, 0xfe, body.length >> 8, body.length & 0xff]);
    const mask = randomBytes(4);
    const masked = Buffer.from(body.map((byte, index) => byte ^ mask[index & 3]));
    this.#socket.write(Buffer.concat([head, mask, masked]));
  }

  #read(data) {
    this.#input = this.#input.length ? Buffer.concat([this.#input, data]) : data;
    if (!this.#isUpgraded && !this.#readHead()) return;
    let offset = 0;
    for (;;) {
      const next = this.#readFrame(offset);
      if (next < 0) break;
      offset = next;
    }
    this.#input = this.#input.subarray(offset);
  }

  #readHead() {
    const end = this.#input.indexOf("\r\n\r\n");
    if (end < 0) return false;
    if (!this.#input.subarray(0, end).toString("latin1").startsWith("HTTP/1.1 101 ")) {
      this.#socket.destroy();
      return false;
    }
    this.#input = this.#input.subarray(end + 4);
    this.#isUpgraded = true;
    this.readyState = 1;
    this.onopen?.({});
    return true;
  }

  /** Reads the frame at `offset`; where it ends, or -1 where it is not whole. */
  #readFrame(offset) {
    const input = this.#input, size = input.length - offset;
    if (size < 2) return -1;
    let length = input[offset + 1] & 0x7f, start = offset + 2;
    if (length === 126) {
      if (size < 4) return -1;
      length = input.readUInt16BE(start);
      start += 2;
    } else if (length === 127) {
      if (size < 10) return -1;
      length = Number(input.readBigUInt64BE(start));
      start += 8;
    }
    if (input.length < start + length) return -1;
    this.#take(input[offset], input.subarray(start, start + length));
    return start + length;
  }

  #take(first, body) {
    const opcode = first & 0x0f;
    if (opcode === TEXT || opcode === CONTINUATION) {
      this.#text += body.toString("utf8");
      if (!(first & 0x80)) return;
      const data = this.#text;
      this.#text = "";
      if (this.readyState === 1) this.onmessage?.({ data });
    } else if (opcode === PING) {
      this.#write(PONG, body);
    } else if (opcode === CLOSE) {
      this.#close = {
        code: body.length < 2 ? 1005 : body.readUInt16BE(0), reason: body.subarray(2).toString("utf8") };
      if (this.readyState === 1) this.#write(CLOSE, body);
      this.readyState = 2;
      this.#socket.end();
    }
  }

  #ended() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.(this.#close);
  }
}
