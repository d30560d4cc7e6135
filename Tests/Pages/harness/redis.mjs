// Publishes to Redis, many channels at a time, and comes back to it when it is gone.
import { once } from "node:events";
import net from "node:net";

const RETRY = 50;

export class Publisher {
  #port;
  #socket;
  #isOpen = false;
  #hasEnded = false;
  #owed = 0;
  #waiting = [];

  static async connect(port) {
    const publisher = new Publisher();
    publisher.#port = port;
    publisher.#dial();
    await once(publisher.#socket, "connect");
    return publisher;
  }

  /**
   * Publishes a message to each channel. Settles when Redis has taken them all; with false where
   * it went before it said so, or is not there: then some channels may have had it, or none.
   */
  publish(channels, message) {
    if (!this.#isOpen) return Promise.resolve(false);
    let text = "";
    for (const channel of channels) {
      text += `*3\r\n$7\r\nPUBLISH\r\n$${channel.length}\r\n${channel}\r\n$${message.length}\r\n${message}\r\n`;
    }
    this.#owed += channels.length;
    this.#socket.write(text);
    return new Promise((resolve) => this.#waiting.push({ owed: this.#owed, resolve }));
  }

  end() {
    this.#hasEnded = true;
    this.#socket.destroy();
  }

  #dial() {
    this.#socket = net.connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("connect", () => { this.#isOpen = true; });
    this.#socket.on("data", (data) => this.#read(data));
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => this.#lost());
  }

  #lost() {
    this.#isOpen = false;
    this.#owed = 0;
    for (const one of this.#waiting.splice(0)) one.resolve(false);
    if (!this.#hasEnded) setTimeout(() => this.#hasEnded || this.#dial(), RETRY);
  }

  // Each answer is one line: how many have got the message.
  #read(data) {
    for (const byte of data) {
      if (byte === 0x2d) throw new Error(`Redis: ${data}`);
      if (byte === 0x0a) {
        this.#owed -= 1;
        for (const one of this.#waiting) one.owed -= 1;
        while (this.#waiting.length && this.#waiting[0].owed <= 0) this.#waiting.shift().resolve(true);
      }
    }
  }
}
