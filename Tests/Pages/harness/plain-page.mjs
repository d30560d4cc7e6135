// A page that knows nothing of resume, as the deployed script is: each frame is as it always was, byte
// for byte, and it comes back after 1.5 s, then after twice as long.
import { TestSocket } from "./websocket.mjs";

const PING = '{"type":"ping"}', FIRST_WAIT = 1500, LONGEST_WAIT = 15_000;

export class PlainPage {
  heard = 0;
  returns = 0;
  missing = 0;
  #url;
  #checks;
  #next = 0;
  #wait = FIRST_WAIT;
  // When its stream was live again after its last return.
  #liveAt = 0;
  #isLive = false;
  #socket;
  #isOver = false;

  /**
   * The messages at `url` count up from 0. `fail` is told what is wrong; `begunAt` says when a number was
   * published, `mayMiss` whether it need not come, and `mayEnd` whether the connection may end now.
   */
  constructor(url, checks) {
    this.#url = url;
    this.#checks = checks;
    this.#open();
  }

  #open() {
    const socket = this.#socket = new TestSocket(this.#url);
    this.#isLive = false;
    socket.onopen = () => {
      this.#wait = FIRST_WAIT;
      socket.send('{"type":"init"}');
    };
    socket.onclose = (event) => this.#ended(event);
    socket.onmessage = ({ data }) => this.#take(data);
  }

  #ended(event) {
    if (this.#isOver) return;
    if (!this.#checks.mayEnd()) this.#checks.fail(`the plain page was closed with ${event.code}`);
    this.returns += 1;
    setTimeout(() => this.#isOver || this.#open(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
  }

  #take(frame) {
    if (!this.#isLive && this.returns > 0) this.#liveAt = Date.now();
    this.#isLive = true;
    if (frame === PING) return this.#socket.send('{"type":"pong"}');
    const number = Number(/"([0-9]+)"}$/.exec(frame)?.[1]);
    if (frame !== `{"type":"status","data":"${number}"}` || !(number >= this.#next)) {
      this.#checks.fail(`the plain page got ${frame} for ${this.#next}`);
      return;
    }
    this.#account(number);
    this.heard += 1;
    this.#next = number + 1;
  }

  #account(end) {
    for (let number = this.#next; number < end; number++) {
      this.missing += 1;
      // What was published while it was away is lost to it: it knows no better.
      const isOfAbsence = !this.#isLive || this.#checks.begunAt(number) <= this.#liveAt;
      if (isOfAbsence || this.#checks.mayMiss(number)) continue;
      this.#checks.fail(`the plain page misses ${number}`);
    }
  }

  /** All is over: it must have had what it could. */
  end(count) {
    this.#isOver = true;
    this.#account(count);
    this.#socket.close();
  }
}
