// `StatusStream.attach`, with the options, methods and events of the script that it replaces.
import assert from "node:assert/strict";
import test, { describe } from "node:test";

import { Element, Page, plain } from "./harness/page.mjs";

const EVENTS = ["append", "trigger", "connected", "disconnected", "error", "gap"];

/** A page with a panel, its log and a panel for stack traces; `events` notes what is dispatched. */
function attach(options = {}, globals = {}) {
  const page = new Page(globals);
  page.log = new Element("log");
  page.log.textContent = options.initial ?? "";
  page.body = new Element("body");
  page.stack = new Element("stack", { "[data-stacktrace-body]": page.body });
  page.stack.hidden = true;
  page.panel = new Element("panel", { "[data-status-log]": page.log });
  page.elements = { "#panel": page.panel, "#log": page.log, "#stack": page.stack };
  page.events = [];
  for (const name of EVENTS) {
    page.panel.addEventListener(`status:${name}`,
      (event) => page.events.push([name, plain(event.detail)]));
  }
  page.instance = page.client.attach({ element: page.panel, runId: "run;;1", channel: "wepp", ...options });
  return page;
}

const say = (page, data) => page.socket.status(data);

describe("the socket", () => {
  test("is that of the deployed path, on the page's own host", () => {
    assert.match(attach().socket.url,
      /^wss:\/\/app\.example\.org\/weppcloud-microservices\/status\/run%3B%3B1:wepp\?resume=1$/);
    const plainly = { location: { protocol: "http:", host: "localhost:8080" } };
    assert.match(attach({}, plainly).socket.url, /^ws:\/\/localhost:8080\//);
  });

  test("is elsewhere where the page says so, and without resume too", () => {
    assert.equal(attach({ url: "wss://h/x", resume: false }).socket.url, "wss://h/x/run%3B%3B1:wepp");
  });

  test("takes the run of the page where none is given", () => {
    const url = (globals) => attach({ runId: null }, globals).socket.url;
    assert.match(url({ runid: "a" }), /\/a:wepp/);
    assert.match(url({ runId: "b" }), /\/b:wepp/);
    assert.match(url({}), /\/anonymous:wepp/);
  });

  test("is opened by connect() where autoConnect is off", () => {
    const page = attach({ autoConnect: false });
    assert.equal(page.sockets.length, 0);
    assert.equal(page.instance.isConnected(), false);
    page.instance.connect();
    page.instance.connect();
    assert.equal(page.sockets.length, 1);
  });

  test("tells of its state by events", () => {
    const page = attach();
    assert.equal(page.instance.isConnected(), false);
    page.live();
    assert.equal(page.instance.isConnected(), true);
    assert.deepEqual(page.events.at(-1), ["connected", { url: page.socket.url }]);
    page.socket.onerror({ type: "error" });
    assert.deepEqual(page.events.at(-1), ["error", { error: { type: "error" } }]);
    page.socket.end();
    assert.deepEqual(page.events.at(-1), ["disconnected", { willReconnect: true }]);
    assert.equal(page.instance.isConnected(), false);
  });

  test("comes back within the times that the page gives", () => {
    const page = attach({ reconnectBaseMs: 200, reconnectMaxMs: 300 });
    page.chance = 1;
    page.live().socket.end();
    page.pass(199);
    assert.equal(page.sockets.length, 1);
    page.pass(1);
    assert.equal(page.sockets.length, 2);
    const usual = attach();
    usual.chance = 1;
    usual.live().socket.end();
    usual.pass(1500);
    assert.equal(usual.sockets.length, 2);
  });

  test("stays away after disconnect() and after a hangup, until connect()", () => {
    for (const end of [(page) => page.instance.disconnect(), (page) => page.socket.say({ type: "hangup" })]) {
      const page = attach().live();
      end(page);
      assert.deepEqual(page.events.at(-1), ["disconnected", { willReconnect: false }]);
      page.pass(60_000);
      assert.equal(page.sockets.length, 1);
      page.instance.connect();
      assert.equal(page.sockets.length, 2);
    }
    attach({ autoConnect: false }).instance.disconnect();
  });

  test("is opened at once by connect() while it waits", () => {
    const page = attach();
    page.chance = 1;
    page.live("e-0").socket.end();
    page.pass(10);
    page.instance.connect();
    page.pass(0);
    assert.deepEqual([page.sockets.length, page.socket.resume], [2, "e-0"]);
    page.instance.connect();
    page.pass(0);
    assert.equal(page.sockets.length, 2);
  });

  test("has its gaps told, which the earlier script has no word for", () => {
    const page = attach().live("e-0");
    const gap = { type: "gap", reason: "redis_outage", from_ms: 1, to_ms: 2 };
    page.socket.say(gap);
    assert.deepEqual(page.events.at(-1), ["gap", gap]);
  });
});

describe("the log", () => {
  test("has a line for each message, behind those that the page came with", () => {
    const page = attach({ initial: "first\n\nsecond\n" }).live();
    say(page, "third");
    page.instance.append("fourth", { by: "hand" });
    assert.equal(page.log.textContent, "first\nsecond\nthird\nfourth\n");
    assert.deepEqual(page.events.filter(([name]) => name === "append"), [
      ["append", { message: "third", raw: "third", meta: null }],
      ["append", { message: "fourth", raw: "fourth", meta: { by: "hand" } }],
    ]);
  });

  test("keeps as many lines as the page says, by default a thousand", () => {
    const page = attach({ logLimit: 2, initial: "1\n2\n3\n" }).live();
    assert.equal(page.log.textContent, "2\n3\n");
    say(page, "4");
    assert.equal(page.log.textContent, "3\n4\n");
    const usual = attach().live();
    for (let number = 0; number < 1001; number++) say(usual, `line ${number}`);
    assert.ok(usual.log.textContent.startsWith("line 1\n"));
    assert.equal(usual.log.textContent.split("\n").length, 1001);
  });

  test("passes over what is empty", () => {
    const page = attach({ formatter: (value) => (value === "none" ? "" : value) }).live();
    for (const data of ["", "none"]) say(page, data);
    page.instance.append(null);
    page.instance.append(undefined);
    assert.deepEqual([page.log.textContent, page.events.length], ["", 1]);
  });

  test("has what the formatter makes of a message, and the message where that fails", () => {
    const page = attach({ formatter: (value) => `[${value}]` }).live();
    say(page, "x");
    assert.equal(page.log.textContent, "[x]\n");
    assert.deepEqual(page.events.at(-1)[1], { message: "[x]", raw: "x", meta: null });
    const failing = attach({ formatter: () => { throw new Error("no"); } }).live();
    say(failing, "x");
    assert.equal(failing.log.textContent, "x\n");
    assert.equal(failing.warnings.length, 1);
  });

  test("shows an object as JSON", () => {
    const page = attach({ formatter: (value) => ({ value }) });
    page.instance.append("x");
    page.instance.append(7);
    assert.equal(page.log.textContent, '{"value":"x"}\n{"value":7}\n');
  });

  test("tells onAppend of the stream, whose failure is no one else's", () => {
    const seen = [];
    const page = attach({ onAppend: (detail) => { seen.push(detail); throw new Error("no"); } }).live();
    say(page, "x");
    say(page, "y");
    assert.deepEqual(seen.map(({ message, raw, meta }) => [message, raw, meta]),
      [["x", "x", null], ["y", "y", null]]);
    assert.equal(seen[0].stream, page.instance);
  });

  test("stays at its end where the reader is there, and where the reader is else", () => {
    const page = attach().live();
    for (let number = 0; number < 50; number++) say(page, "x");
    page.log.scrollTop = page.log.scrollHeight - page.log.clientHeight - 12;
    say(page, "x");
    assert.equal(page.log.scrollTop, page.log.scrollHeight);
    page.log.scrollTop = 100;
    say(page, "x");
    assert.equal(page.log.scrollTop, 100);
  });

  test("is drawn once in a while where the page says so", () => {
    const page = attach({ renderBatchMs: 50 }).live();
    say(page, "x");
    say(page, "y");
    assert.deepEqual([page.log.textContent, page.events.length], ["", 3]);
    page.pass(50);
    assert.equal(page.log.textContent, "x\ny\n");
  });

  test("is emptied by clear()", () => {
    const page = attach().live();
    say(page, "x");
    page.instance.clear();
    assert.equal(page.log.textContent, "");
    say(page, "y");
    assert.equal(page.log.textContent, "y\n");
  });
});

describe("a trigger", () => {
  const triggers = (page) => page.events.filter(([name]) => name === "trigger").map(([, detail]) => detail);

  test("is told with the last two words, where they are this channel's", () => {
    const seen = [];
    const page = attach({ onTrigger: (detail) => seen.push(plain(detail)) }).live();
    say(page, "rq:7 TRIGGER   wepp WEPP_RUN_COMPLETE ");
    say(page, "rq:7 TRIGGER fork FORK_COMPLETE");
    say(page, "no trigger wepp X");
    const detail = {
      event: "WEPP_RUN_COMPLETE", controller: "wepp",
      tokens: ["rq:7", "TRIGGER", "wepp", "WEPP_RUN_COMPLETE"],
      raw: "rq:7 TRIGGER   wepp WEPP_RUN_COMPLETE ",
    };
    assert.deepEqual([seen, triggers(page)], [[detail], [detail]]);
  });

  test("of one word has no controller", () => {
    const page = attach().live();
    say(page, "TRIGGER");
    assert.deepEqual(triggers(page),
      [{ event: "TRIGGER", controller: null, tokens: ["TRIGGER"], raw: "TRIGGER" }]);
  });

  test("is told after its line is in the log, and fails alone", () => {
    const page = attach({ onTrigger: () => { throw new Error("no"); } }).live();
    say(page, "TRIGGER wepp A");
    assert.deepEqual(page.events.slice(-2).map(([name]) => name), ["append", "trigger"]);
    assert.equal(page.warnings.length, 1);
  });
});

describe("a stack trace", () => {
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  test("is opened by an EXCEPTION, and filled with what the job knows", async () => {
    const jobs = [];
    const page = attach({ stacktrace: {
      element: "#stack",
      fetchJobInfo: (job) => { jobs.push(job); return Promise.resolve(`trace of ${job}`); },
    } }).live();
    for (const word of ["JID12", "rq:34", "56"]) say(page, `${word} EXCEPTION x`);
    assert.deepEqual([page.stack.hidden, page.stack.open], [false, true]);
    assert.equal(page.body.textContent, "56 EXCEPTION x");
    await settle();
    assert.deepEqual(jobs, ["12", "34", "56"]);
    assert.equal(page.body.textContent, "trace of 56");
  });

  test("keeps the message where the job knows nothing, or cannot be asked", async () => {
    for (const fetchJobInfo of [
      () => Promise.resolve(null), () => Promise.reject(new Error("no")), () => { throw new Error("no"); },
      () => null,
    ]) {
      const page = attach({ stacktrace: { panel: "#stack", fetchJobInfo } }).live();
      say(page, "7 EXCEPTION x");
      await settle();
      assert.equal(page.body.textContent, "7 EXCEPTION x");
    }
  });

  test("asks the server of the page, by its own means where it has some", async () => {
    const asked = [];
    const answer = { exc_info: "trace" };
    const byFetch = { fetch: (path, options) => {
      asked.push([path, options.credentials]);
      return Promise.resolve({ ok: true, json: () => Promise.resolve(answer) });
    } };
    const byPage = { WCHttp: { getJson: (path) => {
      asked.push([path]);
      return Promise.resolve({ description: "described" });
    } } };
    const first = attach({ stacktrace: { element: "#stack" } }, byFetch).live();
    say(first, "rq:a/b EXCEPTION");
    const second = attach({ stacktrace: { element: "#stack" } }, byPage).live();
    say(second, "rq:a EXCEPTION");
    await settle();
    assert.deepEqual([first.body.textContent, second.body.textContent], ["trace", "described"]);
    assert.deepEqual(asked,
      [["/rq-engine/api/jobinfo/a%2Fb", "same-origin"], ["/rq-engine/api/jobinfo/a"]]);
  });

  test("is text, and markup only where the page says so", () => {
    const fetchJobInfo = () => null;
    const page = attach({ stacktrace: { element: "#stack", fetchJobInfo } }).live();
    say(page, "<pre>EXCEPTION</pre>");
    assert.deepEqual([page.body.textContent, page.body.innerHTML], ["<pre>EXCEPTION</pre>", ""]);
    page.instance.setStacktrace({ element: "#stack", fetchJobInfo, allowHtml: true });
    say(page, "<pre>EXCEPTION</pre>");
    assert.equal(page.body.innerHTML, "<pre>EXCEPTION</pre>");
  });

  test("is none without a panel, or without a body in it", () => {
    for (const stacktrace of [null, {}, { element: "#nowhere" }, { element: "#log" }]) {
      const page = attach({ stacktrace }).live();
      say(page, "7 EXCEPTION x");
      assert.equal(page.stack.hidden, true);
    }
  });
});

describe("StatusStream", () => {
  test("finds an instance by element, selector or itself", () => {
    const page = attach();
    for (const target of [page.panel, "#panel", page.instance]) {
      assert.equal(page.client.get(target), page.instance);
    }
    for (const target of ["#log", "#nowhere", null, undefined]) assert.equal(page.client.get(target), null);
  });

  test("appends and disconnects by the same", () => {
    const page = attach();
    page.client.append("#panel", "x", { by: "hand" });
    assert.equal(page.log.textContent, "x\n");
    page.client.append("#nowhere", "y");
    page.client.disconnect("#panel");
    page.client.disconnect("#nowhere");
    assert.equal(page.events.at(-1)[0], "disconnected");
  });

  test("says what it cannot do without", () => {
    const page = attach();
    const cases = [
      [{}, "element or selector"], [{ element: "#nowhere" }, "element or selector"],
      [{ element: "#log", channel: "x" }, "data-status-log"], [{ root: "#panel" }, "channel name"],
    ];
    assert.throws(() => page.client.attach(), /element or selector/);
    for (const [options, text] of cases) {
      assert.throws(() => page.client.attach(options), (error) => error.message.includes(text));
    }
  });

  test("takes root for element, and a log elsewhere", () => {
    const page = attach();
    const other = page.client.attach({
      root: "#stack", logElement: "#log", channel: "x", autoConnect: false });
    assert.deepEqual([other.element, other.logElement], [page.stack, page.log]);
  });
});
