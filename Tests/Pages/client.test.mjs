// The client on a page without a browser: what it sends, when it comes back, what it tells.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import test, { describe } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { Page } from "./harness/page.mjs";

const file = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

describe("the file", () => {
  test("is under 4 KB compressed, and is its source's", () => {
    assert.ok(gzipSync(readFileSync(file("Clients/js/status-stream.js")), { level: 6 }).length < 4096);
    execFileSync(file("Scripts/client"), ["--check"], { stdio: "pipe" });
  });

  test("is a classic script, an ES module and a CommonJS module", async () => {
    assert.equal(typeof new Page().client.connect, "function");
    const module = await import(file("Clients/js/status-stream.mjs"));
    const names = ["append", "attach", "connect", "disconnect", "get"];
    assert.deepEqual(Object.keys(module).filter((name) => name !== "default").sort(), names);
    assert.deepEqual(Object.keys(module.default).sort(), names);
    assert.equal(module.connect, globalThis.StatusStream.connect);
  });
});

describe("the address", () => {
  const address = (url, options) => new Page().open(options, url).socket.url;
  const name = "run%3B%3B1:status";

  test("is the folder's, with run and channel encoded", () => {
    assert.equal(address("wss://status.example.org"), `wss://status.example.org/${name}?resume=1`);
    assert.equal(address("ws://h:9002/a/b"), `ws://h:9002/a/b/${name}?resume=1`);
  });

  test("may be a page's: relative, with http in the place of ws", () => {
    assert.equal(address("https://h/a/"), `wss://h/a/${name}?resume=1`);
    assert.equal(address("/a/"), `wss://app.example.org/a/${name}?resume=1`);
    assert.equal(address("./"), `wss://app.example.org/${name}?resume=1`);
  });

  test("keeps a query and loses a fragment", () => {
    assert.equal(address("wss://h/?key=a#b"), `wss://h/${name}?key=a&resume=1`);
  });

  test("asks for nothing where resume is off", () => {
    assert.equal(address("wss://h/", { resume: false }), `wss://h/${name}`);
  });

  test("that is none is an error at once", () => {
    assert.throws(() => new Page().open({}, "http://["));
  });
});

describe("a live stream", () => {
  test("begins with init, is live from the first ping on, and answers each by pong", () => {
    const page = new Page().open();
    assert.equal(page.state, "connecting");
    page.socket.open();
    assert.deepEqual(page.socket.sent, ["init"]);
    assert.equal(page.state, "open");
    page.socket.say({ type: "ping", id: "e-0" });
    assert.equal(page.state, "live");
    page.socket.say({ type: "ping" });
    assert.deepEqual(page.socket.sent, ["init", "pong", "pong"]);
    assert.deepEqual(page.states.map(([state]) => state), ["connecting", "open", "live"]);
  });

  test("hands on each message with its id, in order", () => {
    const seen = [];
    const page = new Page().open({ onMessage: (data, message) => seen.push([data, message.id]) });
    page.live("e-0").socket.status("one", "e-1");
    page.socket.status("", "e-2");
    page.socket.status("one", "e-3");
    assert.deepEqual(seen, [["one", "e-1"], ["", "e-2"], ["one", "e-3"]]);
    assert.equal(page.stream.id, "e-3");
  });

  test("of a service without heartbeats at the opening is live from the first message on", () => {
    const page = new Page().open();
    page.socket.open();
    page.socket.status("one");
    assert.equal(page.state, "live");
    assert.deepEqual(page.messages, ["one"]);
  });

  test("passes over what it does not know", () => {
    const page = new Page().open().live("e-0");
    for (const text of ["", "no JSON", "null", "7", "[]", '"ping"', '{"type":"new"}', "{}"]) {
      page.socket.hear(text);
    }
    page.socket.hear({ size: 3 });
    assert.equal(page.state, "live");
    assert.deepEqual([page.messages, page.gaps], [[], []]);
  });

  test("goes on when a page's function fails", () => {
    const page = new Page().open({ onMessage: () => { throw new Error("the page's"); } }).live("e-0");
    assert.throws(() => page.socket.status("one", "e-1"), /the page's/);
    page.socket.say({ type: "ping" });
    assert.equal(page.stream.id, "e-1");
    assert.equal(page.socket.sent.at(-1), "pong");
  });

  test("tells of an outage until the gap that ends it", () => {
    const page = new Page().open().live("e-0");
    page.socket.say({ type: "outage", since_ms: 5 });
    assert.deepEqual(page.states.at(-1), ["outage", { type: "outage", since_ms: 5 }]);
    page.socket.say({ type: "ping" });
    assert.equal(page.state, "outage", "heartbeats say that the socket lives, not that Redis does");
    const gap = { type: "gap", reason: "redis_outage", from_ms: 5, to_ms: 9 };
    page.socket.say(gap);
    assert.equal(page.state, "live");
    assert.deepEqual(page.gaps, [gap]);
  });

  for (const [what, frame] of [
    ["the position of a new subscription", { type: "ping", id: "e-4" }],
    ["a message", { type: "status", data: "x", id: "e-4" }],
  ]) {
    test(`tells of an outage until ${what}`, () => {
      const page = new Page().open().live("e-0");
      page.socket.say({ type: "outage", since_ms: 5 });
      page.socket.say(frame);
      assert.equal(page.state, "live");
    });
  }
});

describe("coming back", () => {
  test("has full jitter, doubles, and is bounded", () => {
    const waits = (chance, options) => {
      const page = new Page().open(options);
      page.chance = chance;
      return [1, 2, 3, 4, 5, 6, 7].map(() => {
        page.socket.end();
        const { delay } = page.states.at(-1)[1];
        page.pass(delay);
        return delay;
      });
    };
    assert.deepEqual(waits(0.5), [500, 1000, 2000, 4000, 7500, 7500, 7500]);
    assert.deepEqual(waits(0), [0, 0, 0, 0, 0, 0, 0]);
    assert.deepEqual(waits(1, { retryBase: 100, retryMax: 350 }), [100, 200, 350, 350, 350, 350, 350]);
  });

  test("waits as at first after a stream that was live, not after one that only opened", () => {
    const page = new Page().open();
    const fail = () => { page.socket.end(); page.pass(page.states.at(-1)[1].delay); };
    [1, 2, 3].forEach(fail);
    page.socket.open();
    page.socket.end();
    assert.equal(page.states.at(-1)[1].delay, 4000);
    page.pass(4000);
    page.live("e-0").socket.end();
    assert.equal(page.states.at(-1)[1].delay, 500);
  });

  test("waits as long as the close asks, and by chance beyond", () => {
    const page = new Page().open().live("e-0");
    page.socket.end(1012, "retry_ms=30000");
    assert.deepEqual(page.states.at(-1),
      ["waiting", { delay: 30500, code: 1012, reason: "retry_ms=30000" }]);
    page.pass(30499);
    assert.equal(page.sockets.length, 1);
    page.pass(1);
    assert.equal(page.sockets.length, 2);
  });

  test("is at once where the page asks, but for the time that a close has asked for", () => {
    const page = new Page().open().live("e-0");
    page.stream.retry();
    page.pass(0);
    assert.deepEqual([page.sockets.length, page.state], [1, "live"]);
    page.socket.end(1012, "retry_ms=3000");
    page.pass(1000);
    page.stream.retry();
    page.pass(1999);
    assert.equal(page.sockets.length, 1);
    page.pass(1);
    assert.equal(page.sockets.length, 2);
    page.pass(60_000);
    page.stream.close();
    page.stream.retry();
    page.pass(0);
    assert.equal(page.state, "closed");
    const aside = new Page().open().live("e-0");
    aside.window.dispatchEvent({ type: "pagehide", persisted: true });
    aside.stream.retry();
    aside.pass(0);
    assert.equal(aside.sockets.length, 1);
  });

  test("goes on for ever where a service refuses for ever, never faster than at first", () => {
    const page = new Page().open();
    page.chance = 1;
    for (let number = 0; number < 2000; number++) {
      page.socket.end(1006);
      const { delay } = page.states.at(-1)[1];
      assert.ok(delay >= 1000 && delay <= 15_000, `${delay} after ${number}`);
      page.pass(delay);
    }
    assert.equal(page.sockets.length, 2001);
  });

  test("does not wait for ever, whatever a close asks", () => {
    const page = new Page().open().live("e-0");
    page.socket.end(1012, "retry_ms=99999999999999999999");
    assert.equal(page.states.at(-1)[1].delay, 600500);
    for (const reason of ["retry_ms=-5", "retry_ms=x", "xretry_ms=5", undefined]) {
      const other = new Page().open().live("e-0");
      other.socket.end(1012, reason);
      assert.equal(other.states.at(-1)[1].delay, 500, reason);
    }
  });

  test("follows every close but one of its own", () => {
    for (const code of [1000, 1001, 1002, 1006, 1008, 1009, 1011, 1012]) {
      const page = new Page().open().live("e-0");
      page.socket.end(code);
      page.pass(1000);
      assert.equal(page.sockets.length, 2, code);
    }
  });

  test("ends with close(), which leaves nothing behind", () => {
    for (const when of ["connecting", "live", "waiting"]) {
      const page = new Page().open();
      if (when !== "connecting") page.live("e-0");
      if (when === "waiting") page.socket.end();
      page.stream.close();
      page.stream.close();
      assert.deepEqual(page.states.at(-1), ["closed", { reason: "closed" }], when);
      if (when !== "waiting") assert.deepEqual(page.socket.closedWith, [1000, undefined]);
      if (when !== "waiting") {
        page.socket.status("late", "e-1");
        page.socket.end();
      }
      page.window.dispatchEvent({ type: "online" });
      assert.equal(page.timerCount, 0);
      assert.equal(page.window.listenerCount + page.document.listenerCount, 0);
      assert.deepEqual([page.sockets.length, page.messages], [1, []]);
    }
  });

  test("may be ended from within any of the page's functions", () => {
    const ways = {
      onMessage: (page) => page.socket.status("x", "e-1"),
      onGap: (page) => page.socket.say({ type: "gap", reason: "redis_outage" }),
      onError: (page) => page.socket.onerror({}),
      onPing: (page) => page.socket.say({ type: "ping" }),
    };
    for (const [name, happen] of Object.entries(ways)) {
      const page = new Page();
      let isReady = false;
      page.open({ [name]: () => isReady && page.stream.close() }).live("e-0");
      isReady = true;
      happen(page);
      assert.equal(page.state, "closed", name);
      assert.equal(page.timerCount, 0);
    }
    const behindGap = new Page();
    behindGap.open({ onGap: () => behindGap.stream.close() }).live();
    behindGap.socket.end();
    behindGap.pass(1000);
    behindGap.live();
    assert.equal(behindGap.state, "closed", "a gap of the client's own");
    const inOutage = new Page();
    inOutage.open({ onGap: () => inOutage.stream.close() }).live("e-0");
    inOutage.socket.say({ type: "outage", since_ms: 5 });
    inOutage.socket.say({ type: "gap", reason: "redis_outage" });
    assert.equal(inOutage.state, "closed", "a gap that ends an outage");
    for (const last of ["open", "live", "waiting"]) {
      const states = [];
      const page = new Page();
      page.open({ onState: (state) => { states.push(state); if (state === last) page.stream.close(); } });
      page.live("e-0").socket.end();
      assert.deepEqual(states.slice(-2), [last, "closed"]);
      assert.equal(page.timerCount, 0);
    }
  });

  test("is over after a hangup, as the deployed script takes it", () => {
    const page = new Page().open().live("e-0");
    page.socket.say({ type: "hangup" });
    assert.deepEqual(page.states.at(-1), ["closed", { reason: "hangup" }]);
    assert.deepEqual([page.timerCount, page.socket.closedWith[0]], [0, 1000]);
  });

  test("goes on after a hangup where the page says so", () => {
    const page = new Page().open({ returnAfterHangup: true }).live("e-0");
    page.socket.say({ type: "hangup" });
    page.socket.end(1000);
    page.pass(1000);
    assert.equal(page.sockets.length, 2);
  });
});
