// Pages that lose their connections at random hear every message once, or a gap that covers what is
// missing; a page of the plain protocol beside them notices nothing.
//
//     node Tests/Pages/resume-run.mjs --url ws://127.0.0.1:9002 --redis 6379 --pages 1000 --minutes 10
//
// The pages run the shipped client. Whoever breaks the daemon or Redis meanwhile says so on standard
// input, a line of JSON each: {"fault":"kill","phase":"begin"} before, and "end" after. "publishing" on
// standard error says that all pages are live. Prints figures as one line of JSON; the exit status is 0
// where all held, and 1 where something did not.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

import { PlainPage } from "./harness/plain-page.mjs";
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
// From the end of a fault to the last link that is made again.
const RECOVERY = 20_000;
// STATUS_RESUME_WINDOW: who is away for longer is told of a gap.
const WINDOW = 30_000;
// Who waits for so long for the answer to a PUBLISH, as the publisher does, sees no Redis.
const SLOW = 500;
// The faults for which a page may be told that its stream is not to be had, and those for which it
// may miss what Redis has taken.
const RESTARTS = ["roll", "kill"], OUTAGES = ["redis-restart", "redis-pause", ...RESTARTS];

globalThis.WebSocket = TestSocket;
const require = createRequire(import.meta.url);
const { connect } = require("../../Clients/js/status-stream.js");

const channels = Array.from({ length: CHANNELS }, (_, index) => `resume;;${index}:status`);
// When each number was published, and when Redis had taken it; false where it went meanwhile.
const begun = [], taken = [];
const faults = [];
const figures = {
  pages: PAGES, channels: CHANNELS, rate: RATE, minutes: +values.minutes, published: 0, untaken: 0, heard: 0,
  fault_times: [], missing_covered: 0, gaps: {}, needless_gaps: 0, slowest_redis_ms: 0, unexplained: 0, repeated: 0, resets: 0, cuts: 0,
  black_holes: 0, returns: 0, faults: {}, plain_heard: 0, plain_returns: 0, plain_missing: 0, failures: [],
};

function fail(what) {
  if (figures.failures.length < 20) figures.failures.push(what);
}

/** Whether a fault of one of the kinds was in force between two times. */
function wasFault(kinds, from, to) {
  return faults.some((fault) => kinds.includes(fault.kind) && fault.begin <= to && fault.end >= from);
}

/** Whether there was another daemon before a time. */
function wasRestarted(since) {
  return faults.some((fault) => RESTARTS.includes(fault.kind) && fault.over >= since);
}

/** Whether Redis left its publisher, too, without an answer between two times. */
function wasRedisSlow(from, to) {
  const now = Date.now();
  for (let number = begun.length - 1; number >= 0 && begun[number] > from - RECOVERY; number--) {
    if (taken[number] === false) continue;
    const answered = taken[number] ?? now;
    if (answered - begun[number] > SLOW && begun[number] <= to && answered >= from) {
      figures.slowest_redis_ms = Math.max(figures.slowest_redis_ms, answered - begun[number]);
      return true;
    }
  }
  return false;
}

/** Whether a number need not have come: a notice covers it, or Redis has not said that it took it. */
function isExcused(number, notices) {
  return taken[number] === false || notices.some(([from, to]) =>
    from - SLACK <= (taken[number] ?? Infinity) && begun[number] <= to + SLACK);
}

class Page {
  next = undefined;
  notices = [];
  lastHeard = Date.now();

  constructor(index) {
    this.index = index;
    const [run, channel] = channels[index % CHANNELS].split(":");
    this.stream = connect(values.url, run, channel, {
      onMessage: (data) => this.hear(+data),
      onGap: (gap) => this.miss(gap),
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
    } else {
      this.account(number);
    }
    this.hasHeard = true;
    this.next = number + 1;
    this.lastHeard = Date.now();
  }

  /** A notice without a fault behind it would excuse what was lost by mistake. */
  miss(gap) {
    figures.gaps[gap.reason] = (figures.gaps[gap.reason] ?? 0) + 1;
    this.notices.push([gap.from_ms, gap.to_ms]);
    const isNeeded = gap.reason === "resume"
      ? wasRestarted(this.lastHeard - SLACK) || Date.now() - this.lastHeard > WINDOW
      : gap.reason === "redis_outage" && (wasFault(OUTAGES, gap.from_ms - SLACK, gap.to_ms + SLACK)
        || wasRedisSlow(gap.from_ms - SLACK, gap.to_ms + SLACK));
    if (isNeeded) return;
    figures.needless_gaps += 1;
    fail(`page ${this.index} was told of ${JSON.stringify(gap)} for nothing; it last heard at ${this.lastHeard}`);
  }

  /** Looks after what is missing before `end`. */
  account(end) {
    for (let number = this.next; number < end; number++) {
      if (isExcused(number, this.notices)) {
        figures.missing_covered += 1;
        continue;
      }
      figures.unexplained += 1;
      fail(`page ${this.index} misses ${number}, published at ${begun[number]}, and was told of ` +
        JSON.stringify(this.notices));
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

  get hasAll() {
    for (let number = this.next; number < begun.length; number++) {
      if (!isExcused(number, this.notices)) return false;
    }
    return true;
  }

  end() {
    this.account(begun.length);
    this.stream.close();
  }
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

createInterface({ input: process.stdin }).on("line", (line) => {
  const { fault, phase } = JSON.parse(line);
  if (phase === "begin") {
    faults.push({ kind: fault, begin: Date.now(), over: Infinity, end: Infinity });
    figures.faults[fault] = (figures.faults[fault] ?? 0) + 1;
  } else {
    faults.at(-1).over = Date.now();
    figures.fault_times.push([fault, faults.at(-1).begin, faults.at(-1).over]);
    faults.at(-1).end = Date.now() + RECOVERY;
  }
});

async function publish(publisher) {
  const start = Date.now();
  await new Promise((resolve) => {
    const tick = setInterval(() => {
      // As many as are due: a late turn catches up.
      const due = Math.min(Date.now() - start, MILLISECONDS) * RATE / 1000;
      while (begun.length < due) {
        const number = begun.push(Date.now()) - 1;
        publisher.publish(channels, `${number}`).then((isTaken) => {
          taken[number] = isTaken && Date.now();
          if (!isTaken) figures.untaken += 1;
        });
      }
      if (Date.now() - start < MILLISECONDS) return;
      clearInterval(tick);
      resolve();
    }, 1000 / RATE);
  });
}

async function main() {
  const plain = new PlainPage(`${values.url}/${channels[0]}`, {
    fail, begunAt: (number) => begun[number],
    mayMiss: (number) => taken[number] === false ||
      wasFault(OUTAGES, begun[number] - SLACK, taken[number] ?? Infinity) ||
      wasRedisSlow(begun[number] - SLACK, taken[number] ?? Infinity),
    mayEnd: () => wasFault(RESTARTS, Date.now() - SLACK, Date.now()),
  });
  const pages = [];
  for (let index = 0; index < PAGES; index++) {
    pages.push(new Page(index));
    if (index % (OPENINGS_A_SECOND / 10) === 0) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const areLive = () => pages.every((page) => page.stream.state === "live");
  if (!await until(areLive)) fail("not all pages were live in time");

  const publisher = await Publisher.connect(+values.redis);
  for (const page of pages) page.disturb();
  console.error("publishing");
  await publish(publisher);

  for (const page of pages) clearTimeout(page.timer);
  if (!await until(() => areLive() && pages.every((page) => page.hasAll))) {
    fail(`${pages.filter((page) => !page.hasAll).length} pages did not hear the end`);
  }
  for (const page of pages) page.end();
  plain.end(begun.length);
  publisher.end();
  Object.assign(figures, {
    published: begun.length * CHANNELS, plain_heard: plain.heard, plain_returns: plain.returns,
    plain_missing: plain.missing });
  if (figures.returns === 0 && MILLISECONDS > MEAN_LIFE) fail("no page has lost its connection");
  console.log(JSON.stringify(figures));
  process.exit(figures.failures.length ? 1 : 0);
}

await main();
