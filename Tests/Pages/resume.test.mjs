// Resuming: what a page asks for when it comes back, what it drops, and which gaps it tells of.
import assert from "node:assert/strict";
import test, { describe } from "node:test";

import { Page } from "./harness/page.mjs";

const gone = (page, code) => {
  page.socket.end(code);
  page.pass(1000);
  return page;
};

const resumeGap = { type: "gap", reason: "resume", from_ms: 5, to_ms: 9 };

describe("a page that comes back", () => {
  test("asks for what is behind the last message", () => {
    const page = new Page().open();
    assert.equal(page.socket.resume, "1");
    page.live("a1b2-7").socket.status("x", "a1b2-8");
    assert.equal(gone(page).socket.resume, "a1b2-8");
    gone(page);
    assert.equal(page.socket.resume, "a1b2-8", "after an attempt that failed, too");
  });

  test("has a position from the first ping on, though no message has come", () => {
    assert.equal(gone(new Page().open().live("a-7")).socket.resume, "a-7");
  });

  test("asks for no more than a beginning while it has no position", () => {
    const page = new Page().open();
    page.socket.open();
    assert.equal(gone(page).socket.resume, "1");
  });

  test("encodes what it sends back", () => {
    assert.match(gone(new Page().open().live("a&b=c#d-7")).socket.url, /\?resume=a%26b%3Dc%23d-7$/);
  });

  test("gets what it missed, then what is new, and tells of no gap", () => {
    const page = gone(new Page().open().live("e-0"));
    page.socket.open();
    page.socket.status("one", "e-1");
    page.socket.status("two", "e-2");
    page.socket.say({ type: "ping", id: "e-2" });
    page.socket.status("three", "e-3");
    assert.deepEqual(page.messages, ["one", "two", "three"]);
    assert.deepEqual(page.gaps, []);
  });

  test("gets what it missed when the ping with the position comes before it", () => {
    const page = gone(new Page().open().live("e-0")).live("e-2");
    page.socket.status("one", "e-1");
    page.socket.status("two", "e-2");
    assert.deepEqual(page.messages, ["one", "two"]);
  });

  test("drops what it has had", () => {
    const page = new Page().open({ withIds: true }).live("e-0");
    for (const number of [1, 2, 3]) page.socket.status("x", `e-${number}`);
    gone(page);
    for (const number of [1, 3, 2, 4, 4]) page.socket.status("x", `e-${number}`);
    assert.deepEqual(page.messages, ["e-1", "e-2", "e-3", "e-4"]);
  });

  test("counts as a number: ten is behind nine, and 2^53 is no limit of the daemon's", () => {
    const page = new Page().open({ withIds: true }).live("e-8");
    for (const number of [9, 10, 2 ** 53 - 1]) page.socket.status("x", `e-${number}`);
    assert.equal(page.messages.length, 3);
  });

  test("takes a new epoch as it is, whatever its numbers", () => {
    const page = new Page().open({ withIds: true }).live("old-0");
    page.socket.status("x", "old-9");
    gone(page).socket.open();
    page.socket.say(resumeGap);
    page.socket.status("x", "new-3");
    page.socket.status("x", "new-4");
    assert.deepEqual(page.messages, ["old-9", "new-3", "new-4"]);
    assert.equal(gone(page).socket.resume, "new-4");
  });

  test("may have an epoch with a hyphen", () => {
    const page = new Page().open({ withIds: true }).live("a-b-0");
    page.socket.status("x", "a-b-1");
    page.socket.status("x", "a-b-1");
    page.socket.status("x", "a-c-1");
    assert.deepEqual(page.messages, ["a-b-1", "a-c-1"]);
  });
});

describe("a gap", () => {
  test("of the service is told once, as it is", () => {
    const page = gone(new Page().open().live("e-0"));
    page.socket.open();
    page.socket.say(resumeGap);
    page.socket.say({ type: "ping", id: "f-3" });
    assert.deepEqual(page.gaps, [resumeGap]);
    assert.equal(gone(page).socket.resume, "f-3", "the position behind the gap");
  });

  test("in the same epoch moves the position, so that it is not told again", () => {
    const page = gone(new Page().open().live("e-1"));
    page.socket.open();
    page.socket.say(resumeGap);
    page.socket.say({ type: "ping", id: "e-90" });
    assert.equal(gone(page).socket.resume, "e-90");
  });

  test("moves the position where the ping with it comes before, too", () => {
    const page = gone(new Page().open().live("e-1")).live("e-90");
    page.socket.say(resumeGap);
    assert.equal(gone(page).socket.resume, "e-90");
    const other = gone(new Page().open().live("e-1")).live("e-90");
    other.socket.say({ type: "gap", reason: "redis_outage", from_ms: 5, to_ms: 9 });
    assert.equal(gone(other).socket.resume, "e-1", "of what is resumed it may have to hear more");
  });

  test("never moves the position back", () => {
    const page = new Page().open().live("e-1");
    page.socket.say({ type: "gap", reason: "redis_outage", from_ms: 5, to_ms: 9 });
    page.socket.status("x", "e-5");
    page.socket.say({ type: "ping", id: "e-4" });
    assert.equal(gone(page).socket.resume, "e-5");
  });

  const reconnect = (page, from, to) => assert.deepEqual(page.gaps, [{
    type: "gap", reason: "reconnect", from_ms: page.unixOffset + from, to_ms: page.unixOffset + to,
  }]);

  test("is the client's own word where the service has no ids", () => {
    const page = new Page().open().live();
    page.pass(700);
    page.socket.status("x");
    page.pass(300);
    gone(page);
    page.socket.open();
    page.pass(50);
    assert.deepEqual(page.gaps, []);
    page.socket.say({ type: "ping" });
    reconnect(page, 0, 2050);
    page.socket.status("y");
    assert.equal(page.gaps.length, 1);
  });

  test("is the client's own word where resume is off, or the service has lost it", () => {
    const off = gone(new Page().open({ resume: false }).live("e-0")).live("e-5");
    assert.equal(off.gaps[0]?.reason, "reconnect");
    const older = gone(new Page().open().live("e-0")).live();
    assert.equal(older.gaps[0]?.reason, "reconnect");
    const newer = gone(new Page().open().live()).live("e-0");
    assert.equal(newer.gaps[0]?.reason, "reconnect");
    assert.equal(gone(newer).live("e-0").gaps.length, 1, "from then on it resumes");
  });

  test("of the client's own begins up to two seconds before the last frame", () => {
    const page = new Page().open().live();
    page.beat(4000, 5);
    gone(page).live();
    reconnect(page, 19_000, 21_000);
  });

  test("of the client's own begins before a standstill, whatever is read after it", () => {
    const page = new Page().open().live();
    page.beat(4000, 5);
    page.standStill(60_000);
    page.socket.status("sent a minute ago");
    page.pass(0);
    page.socket.status("sent a minute ago");
    gone(page).live();
    reconnect(page, 19_000, 81_000);
  });

  for (const [what, offset] of [["back", -3_600_000], ["forward", 3_600_000]]) {
    test(`of the client's own covers its absence though the clock is set ${what} meanwhile`, () => {
      const page = new Page().open().live();
      page.beat(4000, 5);
      const left = page.unixTime;
      page.socket.end();
      page.unixOffset += offset;
      page.pass(1000);
      page.live();
      const [gap] = page.gaps;
      assert.equal(gap.to_ms, page.unixTime);
      // Under the setting that was and under the one that is.
      assert.ok(gap.from_ms <= left && gap.from_ms <= page.unixTime - 1000, JSON.stringify(gap));
    });
  }

  test("of the client's own covers a sleep in which only the wall clock went on", () => {
    const page = new Page().open().live();
    page.beat(4000, 5);
    const asleep = page.unixTime;
    page.unixOffset += 8 * 3_600_000;
    page.socket.end();
    page.pass(1000);
    page.live();
    assert.ok(page.gaps[0].from_ms <= asleep);
  });

  test("is told before the first message behind it", () => {
    const told = [];
    const page = new Page().open({ onGap: () => told.push("gap"), onMessage: (data) => told.push(data) });
    gone(page.live()).socket.open();
    page.socket.status("x");
    assert.deepEqual(told, ["gap", "x"]);
  });

  test("is none before anything was live", () => {
    const page = gone(gone(new Page().open()));
    page.live();
    assert.deepEqual(page.gaps, []);
  });

  test("begins with the last frame of a live stream, not with attempts in between", () => {
    const page = gone(new Page().open().live());
    page.socket.open();
    page.socket.say({ type: "outage", since_ms: 5 });
    gone(page).live();
    reconnect(page, 0, 2000);
  });
});
