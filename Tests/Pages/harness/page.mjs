// A page without a browser: the shipped client in a realm of its own, whose sockets, clock, chance
// and events are the test's.
import { readFileSync } from "node:fs";
import vm from "node:vm";

const CLIENT = new URL("../../../Clients/js/status-stream.js", import.meta.url);

/** Something that events are sent to. */
class Target {
  #listeners = new Map();

  addEventListener = (type, listener) => {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  };

  removeEventListener = (type, listener) => {
    this.#listeners.set(type, this.listeners(type).filter((one) => one !== listener));
  };

  listeners(type) {
    return this.#listeners.get(type) ?? [];
  }

  get listenerCount() {
    return [...this.#listeners.values()].flat().length;
  }

  dispatchEvent = (event) => {
    for (const listener of this.listeners(event.type)) listener(event);
    return true;
  };
}

/** An element with what the client touches. */
export class Element extends Target {
  textContent = "";
  innerHTML = "";
  hidden = false;
  open = false;
  scrollTop = 0;
  clientHeight = 100;
  parts = {};

  constructor(id = "", parts = {}) {
    super();
    this.id = id;
    this.parts = parts;
  }

  get scrollHeight() {
    return this.textContent.split("\n").length * 10;
  }

  querySelector(selector) {
    return this.parts[selector] ?? null;
  }
}

/** A page with the client; `open()` follows `run;;1:status` on it and notes what it is told. */
export class Page {
  time = 0;
  unixOffset = 1_700_000_000_000;
  chance = 0.5;
  sockets = [];
  elements = {};
  window = new Target();
  document = new Target();
  messages = [];
  states = [];
  gaps = [];
  warnings = [];
  #timers = new Map();
  #nextTimer = 1;

  constructor(globals = {}) {
    const page = this;
    this.document.visibilityState = "visible";
    this.document.baseURI = "https://app.example.org/console?x=1#here";
    this.document.querySelector = (selector) => this.elements[selector] ?? null;
    this.context = vm.createContext({
      URL, CustomEvent: class { constructor(type, { detail }) { Object.assign(this, { type, detail }); } },
      WebSocket: class {
        constructor(url) { return new Socket(page, url); }
      },
      performance: { now: () => this.time },
      console: { warn: (...values) => this.warnings.push(values) },
      setTimeout: (action, wait = 0) => this.#set(action, wait),
      clearTimeout: (timer) => this.#timers.delete(timer),
      location: { protocol: "https:", host: "app.example.org" },
      document: this.document,
      addEventListener: this.window.addEventListener,
      removeEventListener: this.window.removeEventListener,
      ...globals,
    });
    vm.runInContext("Math.random = () => chance(); Date.now = () => unixTime();",
      Object.assign(this.context, { chance: () => this.chance, unixTime: () => this.unixTime }));
    vm.runInContext(readFileSync(CLIENT, "utf8"), this.context, { filename: "status-stream.js" });
  }

  get client() { return this.context.StatusStream; }
  get unixTime() { return this.unixOffset + this.time; }
  get socket() { return this.sockets.at(-1); }
  get state() { return this.states.at(-1)?.[0]; }
  get timerCount() { return this.#timers.size; }

  open(options = {}, url = "wss://status.example.org/") {
    this.stream = this.client.connect(url, "run;;1", "status", {
      onMessage: (data, message) => this.messages.push(options.withIds ? message.id : data),
      onState: (state, detail) => this.states.push([state, plain(detail)]),
      onGap: (gap) => this.gaps.push(plain(gap)),
      ...options,
    });
    return this;
  }

  /** Lets the socket open and its stream begin, as a service with ids does it or one without. */
  live(id) {
    this.socket.open();
    this.socket.say({ type: "ping", id });
    return this;
  }

  /** Time goes by, and each timer fires when it is due. */
  pass(milliseconds) {
    const end = this.time + milliseconds;
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a[1].due - b[1].due)[0];
      if (!next || next[1].due > end) break;
      this.time = Math.max(this.time, next[1].due);
      this.#timers.delete(next[0]);
      next[1].action();
    }
    this.time = end;
  }

  /** Time goes by while no code of the page runs; timers that were due meanwhile wait for `pass`. */
  standStill(milliseconds) {
    this.time += milliseconds;
  }

  /** A heartbeat every `interval` for so many of them. */
  beat(interval, count, id) {
    for (let number = 0; number < count; number++) {
      this.pass(interval);
      this.socket.say({ type: "ping", id });
    }
  }

  #set(action, wait) {
    this.#timers.set(this.#nextTimer, { action, due: this.time + wait });
    return this.#nextTimer++;
  }
}

/** A WebSocket whose other end is the test. */
class Socket {
  readyState = 0;
  sent = [];
  closedWith = null;
  onopen = this.onmessage = this.onerror = this.onclose = null;

  constructor(page, url) {
    this.url = url;
    page.sockets.push(this);
  }

  get resume() { return new URL(this.url).searchParams.get("resume"); }

  // What the page does

  send(text) {
    this.sent.push(JSON.parse(text).type);
  }

  close(code, reason) {
    this.readyState = 2;
    this.closedWith = [code, reason];
  }

  // What the other end does

  open() {
    this.readyState = 1;
    this.onopen?.();
  }

  say(frame) {
    this.hear(JSON.stringify(frame));
  }

  hear(data) {
    this.onmessage?.({ data });
  }

  status(data, id) {
    this.say({ type: "status", data, id });
  }

  end(code = 1006, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

/** A value of the page's realm as one of the test's. */
export function plain(value) {
  return JSON.parse(JSON.stringify(value));
}
