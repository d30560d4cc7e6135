// Pages that lose their connections at random hear every message once, or a gap that covers what is
// missing; a page of the plain protocol beside them notices nothing.
//
//     node Tests/Pages/resume-run.mjs --url ws://127.0.0.1:9002 --redis 6379 --pages 1000 --minutes 10
//
// The pages run the shipped client. Prints figures as one line of JSON; the exit status is 0 where all
// held, and 1 where something did not.
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

import { Publisher } from "./harness/redis.mjs";
import { TestSocket } from "./harness/websocket.mjs";

const text = (value) => ({ type: "string", default: value });
const { values } = parseArgs({ options: {
  url: text("ws://127.0.0.1:9002"), redis: text("6379"), pages: text("1000"), channels: text("20"),
  rate: text("100"), minutes: text("10"), "mean-life": text("30"),
} });
const PAGES = +values.pages, CHANNELS = Math.min(+values.channels, PAGES), RATE = +values.rate;
const MILLISECONDS = +values.minutes * 60_000, MEAN_LIFE = +values["mean-life"] * 1000;
const OPENINGS_A_SECOND = 200;
// So long nothing comes any more before it is said that something is missing.
const SETTLE = 60_000;
// Between the clocks of this process and of the daemon, which are one, and their turns.
const SLACK = 250;

globalThis.WebSocket = TestSocket;
const require = createRequire(import.meta.url);
const { connect } = require("../../Clients/js/status-stream.js");

const channels = Array.from({ length: CHANNELS }, (_, index) => `resume;;${index}:status`);
// When each number was published, and when Redis had taken it.
const begun = [], taken = [];
const figures = {
  pages: PAGES, channels: CHANNELS, rate: RATE, minutes: +values.minutes, published: 0, heard: 0,
  missing_covered: 0, gaps: {}, unexplained: 0, repeated: 0, resets: 0, cuts: 0, black_holes: 0,
  returns: 0, plain_heard: 0, failures: [],
};

function fail(what) {
  if (figures.failures.length < 20) figures.failures.push(what);
}

/** Whether the gap notices cover all numbers from `first` to before `end`. */
function areCovered(first, end, notices) {
  for (let number = first; number < end; number++) {
    const isCovered = notices.some(([from, to]) =>
      from - SLACK <= (taken[number] ?? Infinity) && begun[number] <= to + SLACK);
    if (!isCovered) return false;
  }
  return true;
}

class Page {
  next = undefined;
  notices = [];
  isDisturbed = true;

  constructor(index) {
    this.index = index;
    const [run, channel] = channels[index % CHANNELS].split(":");
    this.stream = connect(values.url, run, channel, {
      onMessage: (data) => this.hear(+data),
      onGap: (gap) => {
        figures.gaps[gap.reason] = (figures.gaps[gap.reason] ?? 0) + 1;
        this.notices.push([gap.from_ms, gap.to_ms]);
      },
      onState: (state) => {
        // What is published from now on must come.
        if (state === "live") this.next ??= begun.length;
        if (state === "connecting") {
          this.socket = TestSocket.latest;
          if (this.next !== undefined) figures.returns += 1;
        }
      },
    });
  }

  hear(number) {
    figures.heard += 1;
    this.next ??= number;
    if (number < this.next) {
      // Before the stream was live it may have come or not.
      if (this.hasHeard) {
        figures.repeated += 1;
        fail(`page ${this.index} has heard ${number} twice`);
      }
      this.hasHeard = true;
      this.next = number + 1;
      return;
    }
    this.hasHeard = true;
    this.account(number);
    this.next = number + 1;
    this.notices = [];
  }

  /** Looks after what is missing before `number`. */
  account(number) {
    if (number === this.next) return;
    if (areCovered(this.next, number, this.notices)) {
      figures.missing_covered += number - this.next;
    } else {
      figures.unexplained += number - this.next;
      fail(`page ${this.index} misses ${this.next} to ${number - 1}, published at ${begun[this.next]} to ` +
        `${begun[number - 1]}, and was told of ${JSON.stringify(this.notices)}`);
    }
  }

  /** Loses its connection at random, again and again. */
  disturb() {
    const life = -Math.log(1 - Math.random()) * MEAN_LIFE;
    this.timer = setTimeout(() => {
      if (this.stream.state === "live") this.break();
      this.disturb();
    }, Math.min(life, 2 ** 31 - 1));
  }

  break() {
    const chance = Math.random();
    if (chance < 0.5) {
      figures.resets += 1;
      this.socket.reset();
    } else if (chance < 0.8) {
      figures.cuts += 1;
      this.socket.cut();
    } else {
      figures.black_holes += 1;
      this.socket.mute();
    }
  }

  end() {
    if (this.next !== begun.length) this.account(begun.length);
    this.stream.close();
  }
}

/** A page that knows nothing of resume: each frame is as it always was. */
function plainPage() {
  const socket = new TestSocket(`${values.url}/${channels[0]}`);
  let next = 0;
  socket.onopen = () => socket.send('{"type":"init"}');
  socket.onclose = (event) => socket.isOver || fail(`the plain page was closed with ${event.code}`);
  socket.onmessage = ({ data }) => {
    if (data === '{"type":"ping"}') return socket.send('{"type":"pong"}');
    if (data !== `{"type":"status","data":"${next}"}`) fail(`the plain page got ${data} for ${next}`);
    figures.plain_heard += 1;
    next += 1;
  };
  return socket;
}

/** Waits until a condition holds, as long as messages come; whether it holds. */
async function until(condition) {
  for (let heard = 0, last = Date.now(); !condition();) {
    if (figures.heard !== heard) [heard, last] = [figures.heard, Date.now()];
    if (Date.now() - last > SETTLE) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

// The client makes its sockets itself: each page takes note of its latest.
globalThis.WebSocket = class extends TestSocket {
  constructor(url) {
    super(url);
    TestSocket.latest = this;
  }
};

async function main() {
  const plain = plainPage();
  const pages = [];
  for (let index = 0; index < PAGES; index++) {
    pages.push(new Page(index));
    if (index % (OPENINGS_A_SECOND / 10) === 0) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const areLive = () => pages.every((page) => page.stream.state === "live");
  if (!await until(areLive)) fail("not all pages were live in time");

  const publisher = await Publisher.connect(+values.redis);
  for (const page of pages) page.disturb();
  const start = Date.now();
  await new Promise((resolve) => {
    const tick = setInterval(() => {
      // As many as are due: a late turn catches up.
      const due = Math.min(Date.now() - start, MILLISECONDS) * RATE / 1000;
      while (begun.length < due) {
        const number = begun.push(Date.now()) - 1;
        publisher.publish(channels, `${number}`).then(() => { taken[number] = Date.now(); });
      }
      if (Date.now() - start < MILLISECONDS) return;
      clearInterval(tick);
      resolve();
    }, 1000 / RATE);
  });

  for (const page of pages) clearTimeout(page.timer);
  const hasAll = (page) => page.next === begun.length ||
    areCovered(page.next, begun.length, page.notices);
  if (!await until(() => areLive() && pages.every(hasAll))) {
    fail(`${pages.filter((page) => !hasAll(page)).length} pages did not hear the end`);
  }
  for (const page of pages) page.end();
  plain.isOver = true;
  plain.close();
  publisher.end();
  figures.published = begun.length * CHANNELS;
  if (figures.plain_heard !== begun.length) fail(`the plain page heard ${figures.plain_heard}`);
  if (figures.returns === 0 && MILLISECONDS > MEAN_LIFE) fail("no page has lost its connection");
  console.log(JSON.stringify(figures));
  process.exit(figures.failures.length ? 1 : 0);
}

await main();
