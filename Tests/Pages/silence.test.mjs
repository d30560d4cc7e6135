// Silence, standing still, and what a browser tells of network and page.
import assert from "node:assert/strict";
import test, { describe } from "node:test";

import { Page } from "./harness/page.mjs";

const silenceEnds = (page, limit, delay = 500) => {
  page.pass(limit - 1);
  assert.notEqual(page.state, "waiting", "it waits for two intervals");
  page.pass(1);
  assert.deepEqual(page.states.at(-1)[1], { delay, code: 0, reason: "silence" });
};

/** A page that knows that pings come every `interval`. */
const attuned = (interval, id = "e-0") => {
  const page = new Page().open().live(id);
  page.beat(interval, 5);
  return page;
};

describe("silence", () => {
  for (const interval of [500, 5000, 15_000]) {
    test(`of two intervals ends the socket, which pings every ${interval} ms`, () => {
      const page = attuned(interval);
      const left = page.socket;
      silenceEnds(page, 2 * interval);
      assert.deepEqual(left.closedWith, [4000, "silence"]);
      page.pass(500);
      assert.equal(page.sockets.length, 2);
      left.status("late", "e-1");
      left.end();
      assert.deepEqual([page.messages, page.sockets.length], [[], 2]);
    });
  }

  test("is judged by a second at least", () => silenceEnds(attuned(100), 1000));

  test("is judged by half a minute until the interval is known", () => {
    const page = new Page().open().live("e-0");
    silenceEnds(page, 30_000);
  });

  test("is not learnt from the pings at the opening, which come sooner", () => {
    const page = new Page().open().live("e-0");
    page.socket.say({ type: "ping" });
    page.beat(300, 1);
    page.beat(5000, 1);
    page.pass(20_000);
    assert.deepEqual([page.state, page.sockets.length], ["live", 1]);
    page.socket.say({ type: "ping" });
    page.beat(5000, 2);
    silenceEnds(page, 10_000);
  });

  test("is not learnt from one ping that was late", () => {
    const page = attuned(5000);
    page.pass(9000);
    page.socket.say({ type: "ping" });
    page.beat(5000, 1);
    silenceEnds(page, 10_000);
  });

  test("is none while messages come: a page with much to read has its pings behind them", () => {
    const page = attuned(500);
    for (let number = 1; number < 10; number++) {
      page.pass(900);
      page.socket.status("x", `e-${number}`);
    }
    assert.equal(page.state, "live");
    silenceEnds(page, 1000);
  });

  test("is waited for longer each time, until pings have told their interval", () => {
    const page = new Page().open().live("e-0");
    for (const limit of [30_000, 60_000, 120_000, 240_000, 300_000, 300_000]) {
      silenceEnds(page, limit);
      page.pass(500);
      page.live("e-0");
    }
    page.beat(5000, 5);
    silenceEnds(page, 10_000);
  });

  test("of a service whose interval is longer than expected is learnt in the end", () => {
    const page = new Page().open();
    for (let second = 1; second <= 3600; second++) {
      page.pass(1000);
      if (page.socket.readyState === 0) page.live("e-0");
      else if (second % 60 === 0) page.socket.say({ type: "ping" });
    }
    assert.equal(page.state, "live");
    assert.ok(page.sockets.length <= 4, "30 and 60 s are too short");
  });

  test("before the stream is live is half a minute's: no heartbeat comes before Redis has answered", () => {
    const page = attuned(1000);
    page.socket.end();
    page.pass(500);
    page.socket.open();
    silenceEnds(page, 30_000, 1000);
  });

  test("is no matter of the wall clock, however it is set", () => {
    const page = attuned(5000);
    for (const offset of [-1e10, 1e10]) {
      page.unixOffset += offset;
      page.beat(5000, 3);
      assert.equal(page.state, "live");
    }
    page.unixOffset -= 1e10;
    silenceEnds(page, 10_000);
  });

  test("of a socket that does not open ends it after fifteen seconds", () => {
    const page = new Page().open();
    page.pass(14_999);
    assert.equal(page.state, "connecting");
    page.pass(1);
    assert.deepEqual(page.states.at(-1)[1],
      { delay: 500, code: 0, reason: "connecting took too long" });
  });
});

describe("a page that stood still", () => {
  test("reads what has come before it judges", () => {
    const page = attuned(500);
    page.standStill(60_000);
    page.pass(0);
    assert.equal(page.state, "live", "the timer was held up as the frames were");
    assert.equal(page.socket.sent.at(-1), "init", "a sign of life is asked for");
    page.socket.say({ type: "ping" });
    page.beat(500, 3);
    assert.deepEqual([page.state, page.sockets.length], ["live", 1]);
  });

  test("leaves a socket that gives no sign of life when asked", () => {
    const page = attuned(500);
    page.standStill(60_000);
    page.pass(2999);
    assert.equal(page.state, "live");
    page.pass(1);
    assert.deepEqual([page.state, page.socket.closedWith], ["waiting", [4000, "silence"]]);
  });

  test("asks anew when it stood still while it waited for the answer", () => {
    const page = attuned(500);
    page.standStill(60_000);
    page.pass(0);
    page.standStill(60_000);
    page.pass(0);
    assert.equal(page.state, "live");
    page.pass(3000);
    assert.equal(page.state, "waiting");
  });

  test("waits for the next ping where an init has no answer, as with the Go service", () => {
    const page = attuned(5000, null);
    page.standStill(60_000);
    page.pass(7499);
    assert.equal(page.state, "live");
    page.socket.say({ type: "ping" });
    page.beat(5000, 3);
    assert.equal(page.state, "live");
  });

  test("in the background, whose timers come once a minute, is not taken for silent", () => {
    const page = attuned(500);
    for (let number = 0; number < 120; number++) {
      page.standStill(500);
      page.socket.say({ type: "ping" });
    }
    page.pass(0);
    assert.deepEqual([page.state, page.sockets.length], ["live", 1]);
    assert.equal(page.socket.sent.includes("init", 1), false, "nor is anything asked");
  });

  test("while it connected has the time for it once more", () => {
    const page = new Page().open();
    page.standStill(600_000);
    page.pass(0);
    assert.equal(page.state, "connecting");
    page.live("e-0");
    assert.equal(page.state, "live");
  });
});

describe("the browser's word", () => {
  const waiting = () => {
    const page = new Page().open();
    for (let number = 0; number < 8; number++) {
      page.socket.end();
      if (number < 7) page.pass(page.states.at(-1)[1].delay);
    }
    assert.equal(page.states.at(-1)[1].delay, 7500);
    return page;
  };
  const events = {
    "online again": (page) => page.window.dispatchEvent({ type: "online" }),
    "in sight again": (page) => page.document.dispatchEvent({ type: "visibilitychange" }),
    "no longer frozen": (page) => page.document.dispatchEvent({ type: "resume" }),
  };

  for (const [what, happen] of Object.entries(events)) {
    test(`that it is ${what} cuts a wait short`, () => {
      const page = waiting();
      const { length } = page.sockets;
      happen(page);
      page.pass(500);
      assert.equal(page.sockets.length, length + 1);
      page.socket.end();
      assert.equal(page.states.at(-1)[1].delay, 500, "and begins the waits anew");
    });

    test(`that it is ${what} has the socket asked for a sign of life`, () => {
      const page = attuned(5000);
      happen(page);
      assert.equal(page.socket.sent.at(-1), "init");
      page.pass(2999);
      assert.equal(page.state, "live");
      page.pass(1);
      assert.equal(page.state, "waiting");
      const other = attuned(5000);
      happen(other);
      other.socket.say({ type: "ping" });
      other.pass(4000);
      assert.equal(other.state, "live");
    });
  }

  test("does not bring it back before the time that a close has asked for", () => {
    const page = new Page().open().live("e-0");
    page.socket.end(1012, "retry_ms=20000");
    page.pass(5000);
    page.window.dispatchEvent({ type: "online" });
    page.pass(15_499);
    assert.equal(page.sockets.length, 1);
    page.pass(1);
    assert.equal(page.sockets.length, 2);
  });

  test("that it is out of sight is nothing to it", () => {
    const page = attuned(5000);
    page.document.visibilityState = "hidden";
    page.document.dispatchEvent({ type: "visibilitychange" });
    assert.equal(page.socket.sent.at(-1), "pong");
  });

  test("that it is offline has an open socket asked, and ends nothing by itself", () => {
    const page = attuned(5000);
    page.window.dispatchEvent({ type: "offline" });
    assert.equal(page.socket.sent.at(-1), "init");
    page.socket.say({ type: "ping" });
    page.pass(4000);
    assert.equal(page.state, "live", "the way to this service is another one");
  });

  test("changes nothing while a socket connects", () => {
    const page = new Page().open();
    for (const type of ["online", "offline"]) page.window.dispatchEvent({ type });
    page.document.dispatchEvent({ type: "visibilitychange" });
    assert.deepEqual([page.sockets.length, page.socket.sent], [1, []]);
  });

  test("that it is put aside ends the socket without a good-bye, and brings it back as it was", () => {
    const page = new Page().open().live("e-0");
    page.socket.status("one", "e-1");
    page.window.dispatchEvent({ type: "pagehide", persisted: true });
    assert.deepEqual(page.socket.closedWith, [4000, "page hidden"]);
    assert.deepEqual(page.states.at(-1), ["waiting", { reason: "page hidden" }]);
    assert.equal(page.timerCount, 0);
    events["no longer frozen"](page);
    events["in sight again"](page);
    page.pass(60_000);
    assert.equal(page.sockets.length, 1);
    page.window.dispatchEvent({ type: "pageshow", persisted: true });
    assert.deepEqual([page.sockets.length, page.socket.resume], [2, "e-1"]);
  });

  test("that it goes for good leaves the good-bye to the browser", () => {
    const page = new Page().open().live("e-0");
    page.window.dispatchEvent({ type: "pagehide", persisted: false });
    assert.equal(page.socket.closedWith, null);
    page.window.dispatchEvent({ type: "pageshow", persisted: false });
    assert.equal(page.sockets.length, 1);
  });
});
