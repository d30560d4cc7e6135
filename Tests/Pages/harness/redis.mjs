// Publishes to Redis, many channels at a time.
import { once } from "node:events";
import net from "node:net";

export class Publisher {
  #socket;
  #owed = 0;
  #waiting = [];

  static async connect(port) {
    const publisher = new Publisher();
    publisher.#socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    publisher.#socket.on("data", (data) => publisher.#read(data));
    await once(publisher.#socket, "connect");
    return publisher;
  }

  /** Publishes a message to each channel; settles when Redis has taken them all. */
  publish(channels, message) {
    let text = "";
    for (const channel of channels) {
      text += `*3\r\n$7\r\nPUBLISH\r\n$${channel.length}\r\n${channel}\r\n$${message.length}\r\n${message}\r\n`;
    }
    this.#owed += channels.length;
    this.#socket.write(text);
    return new Promise((resolve) => this.#waiting.push({ owed: this.#owed, resolve }));
  }

  end() {
    this.#socket.destroy();
  }

  // Each answer is one line: how many have got the message.
  #read(data) {
    for (const byte of data) {
      if (byte === 0x2d) throw new Error(`Redis: ${data}`);
      if (byte === 0x0a) {
        this.#owed -= 1;
        for (const one of this.#waiting) one.owed -= 1;
        while (this.#waiting.length && this.#waiting[0].owed <= 0) this.#waiting.shift().resolve();
      }
    }
  }
}
