"use strict";
// Rows that are kept, and the characters of a row that are shown.
const rowLimit = 10000, textLimit = 4000;
// Rows that are drawn in a frame: so many that a frame stays short, so few that none waits long.
const frameLimit = 2500, blockSize = 100;
const readinessInterval = 2000;
const element = (id) => document.getElementById(id);
const page = document.documentElement.dataset;
// The daemon's folder, under whatever prefix a proxy shows it.
const folder = location.origin + location.pathname.replace(/console\/?$/, "");
const list = element("messages");

let stream = null, name = "";
let count = 0, beats = 0, lastBeat = 0;
let wasOpen = false, readiness = 0, unready = "";
// The rows, the oldest first; from `drawn` on they wait for the next frame, and from `pausedAt` on for
// the end of a pause.
// Drawn rows lie in blocks: the browser looks into no block that is out of sight.
let pending = [], block = null, shown = 0;
let rows = [], drawn = 0, frame = 0, pausedAt = Infinity, isAtEnd = true, lastTop = 0, needle = "";

// The time of the day in UTC, as in the daemon's log.
function clock(milliseconds) {
  return new Date(milliseconds).toISOString().slice(11, 23);
}

// The same, with the day where it is another one.
function moment(milliseconds) {
  const [day, today] = [milliseconds, Date.now()].map((time) => new Date(time).toISOString().slice(0, 10));
  return (day === today ? "" : day + " ") + clock(milliseconds);
}

// Rows

function add(text, isNote) {
  if (text.length > textLimit) {
    text = text.slice(0, textLimit) + " … and " + (text.length - textLimit) + " more characters";
  }
  rows.push({ text, isNote, time: Date.now(), key: text.toLowerCase() });
  // A page in the background draws nothing, and keeps no more for it.
  if (rows.length > 2 * rowLimit) forget();
  draw();
}

function forget() {
  const excess = rows.length - rowLimit;
  if (excess <= 0) return;
  rows.splice(0, excess);
  drawn = Math.max(0, drawn - excess);
  pausedAt = Math.max(0, pausedAt - excess);
}

const isPaused = () => pausedAt !== Infinity;
const drawEnd = () => Math.min(rows.length, pausedAt);

function draw() {
  if (!frame && drawn < drawEnd()) frame = requestAnimationFrame(drawFrame);
}

const isShown = (row) => row.isNote || !needle || row.key.includes(needle);

function drawFrame() {
  frame = 0;
  const excess = rows.length - rowLimit;
  const from = Math.max(drawn, excess), to = Math.min(drawEnd(), from + frameLimit);
  for (let index = from; index < to; index++) if (isShown(rows[index])) put(made(rows[index]));
  drawn = to;
  if (to > from) place();
  forget();
  showNumbers();
  if (isAtEnd) toEnd();
  draw();
}

function toEnd() {
  isAtEnd = true;
  list.scrollTop = list.scrollHeight;
  lastTop = list.scrollTop;
}

function put(item) {
  if (!block || block.childElementCount === blockSize) {
    block = document.createElement("ol");
    pending.push(block);
  }
  block.append(item);
  shown += 1;
}

function place() {
  list.append(...pending);
  pending = [];
  while (shown - list.firstElementChild?.childElementCount >= rowLimit) {
    shown -= list.firstElementChild.childElementCount;
    list.firstElementChild.remove();
  }
}

function made(row) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  const body = document.createElement("span");
  time.textContent = clock(row.time);
  // Payloads are text and never markup.
  body.textContent = row.text;
  if (row.isNote) item.className = "note";
  item.append(time, body);
  return item;
}

function drawAgain() {
  list.replaceChildren();
  block = null;
  shown = drawn = 0;
  isAtEnd = true;
  draw();
  showNumbers();
}

function showNumbers() {
  showBeat();
  showPause();
  element("count").textContent = count;
  element("beats").textContent = beats;
  element("shown").textContent = needle ? shown + " of " + rows.length + " rows"
    : shown >= rowLimit ? "the last " + shown + " rows" : "";
  element("empty").hidden = shown > 0;
  element("empty").textContent = !rows.length
    ? stream ? "No message has come yet. Publish one by the command above."
      : "Choose a run and a channel, and connect."
    : needle ? "No row contains “" + element("filter").value + "”." : "";
}

function showPause() {
  const waiting = rows.length - drawEnd();
  element("pause").textContent = waiting ? "Paused, " + waiting + " waiting"
    : isPaused() ? "Paused" : "Pause";
  element("pause").setAttribute("aria-pressed", isPaused());
}

function showBeat() {
  element("beat").textContent = lastBeat ? Math.round((Date.now() - lastBeat) / 1000) + " s ago" : "none";
}

// The stream

function setState(kind, text) {
  if (element("state").textContent === text) return;
  element("state").className = kind;
  element("state").textContent = text;
}

const ended = (detail) => detail.code ? "closed with code " + detail.code
  + (detail.reason ? " (" + detail.reason + ")" : "") : "left: " + detail.reason;

// A heartbeat says that the socket lives. Whether Redis does is told by notices, or by /ready.
function showSubscribed() {
  if (unready) setState("waiting", "socket open, but the daemon is not ready: " + unready);
  else setState("live", "subscribed");
}

function onState(state, detail) {
  if (state !== "live" && state !== "outage") lastBeat = 0;
  if (state === "connecting") setState("waiting", "connecting");
  if (state === "open") {
    wasOpen = true;
    setState("waiting", "socket open, not subscribed yet");
  }
  if (state === "live") showSubscribed();
  if (state === "outage") {
    const since = moment(detail.since_ms);
    setState("waiting", "socket open, but no messages come since " + since + " UTC");
    add("outage: no messages come since " + since, true);
  }
  if (state === "waiting") {
    const wait = detail.delay === undefined ? "" : ", next try in " + Math.round(detail.delay) + " ms";
    setState("closed", (wasOpen ? ended(detail) : "no connection") + "; reconnecting");
    if (wasOpen) add(ended(detail) + wait, true);
    wasOpen = false;
  }
  if (state === "closed") setState("idle", "not connected");
  showBeat();
}

function onGap(gap) {
  add("gap: " + gap.reason + ", rows before this one may be missing, from " + moment(gap.from_ms)
    + " to " + moment(gap.to_ms), true);
}

function onMessage(data) {
  count += 1;
  add(data, false);
}

// Without notices the daemon's own word about Redis is the best there is.
async function askReadiness() {
  const asked = stream;
  let text = "";
  try {
    const answer = await fetch(folder + "ready", { cache: "no-store" });
    if (!answer.ok) text = [].concat(await answer.json()).join(", ") || "status " + answer.status;
  } catch { /* Then the socket will tell, too. */ }
  if (!asked || stream !== asked) return;
  unready = text;
  if (stream.state === "live") showSubscribed();
}

function open(run, channel) {
  close();
  if (name !== run + ":" + channel) clear();
  name = run + ":" + channel;
  stream = StatusStream.connect(folder, run, channel, {
    onMessage, onGap, onState, onPing, returnAfterHangup: true, retryBase: 500,
  });
  showButtons();
  if (page.notices !== "true") readiness = setInterval(askReadiness, readinessInterval);
}

function onPing() {
  beats += 1;
  lastBeat = Date.now();
}

function close() {
  clearInterval(readiness);
  unready = "";
  if (stream) stream.close();
  stream = null;
  showButtons();
  showNumbers();
}

// What a button would do that is done already, it does not offer.
function showButtons() {
  element("disconnect").disabled = !stream;
  element("connect").disabled = !!stream && name === element("run").value + ":" + element("channel").value;
}

function clear() {
  rows = [];
  count = beats = 0;
  if (isPaused()) pausedAt = 0;
  drawAgain();
}

// The form and the address

const letters = {
  run: [/^[A-Za-z0-9_.;-]+$/, "letters A to Z, digits and _ . ; -"],
  channel: [/^[A-Za-z0-9_.-]+$/, "letters A to Z, digits and _ . -"],
};

// What is wrong, by the name of its field; the first such field gets the focus.
function problem() {
  const problems = [];
  for (const field of ["run", "channel"]) {
    const input = element(field), [pattern, allowed] = letters[field], title = field === "run" ? "Run" : "Channel";
    const text = input.value === "" ? title + " is empty."
      : !pattern.test(input.value) ? title + " may have " + allowed + " only." : "";
    input.setAttribute("aria-invalid", text !== "");
    if (text && !problems.length) input.focus();
    if (text) problems.push(text);
  }
  if (!problems.length && (element("run").value + element("channel").value).length > 511) {
    problems.push("Run and Channel together may have 511 characters.");
  }
  return problems.join(" ");
}

function submit() {
  const text = problem();
  element("error").hidden = !text;
  element("error").textContent = text;
  if (text) {
    close();
    return;
  }
  const hash = "#" + element("run").value + ":" + element("channel").value;
  if (location.hash === hash) open(element("run").value, element("channel").value);
  else location.hash = hash;
}

function showCommand() {
  showButtons();
  // Only what Redis's channel may be called: a shell would make something else of the rest.
  const named = (field, other) => letters[field][0].test(element(field).value) ? element(field).value : other;
  const run = named("run", "demo"), channel = named("channel", "status");
  element("command").textContent = page.redisCli + " PUBLISH '" + run + ":" + channel + "' 'hello'";
}

function followHash() {
  let text = location.hash.slice(1);
  try { text = decodeURIComponent(text); } catch { /* A lone % stays as it is, and is refused. */ }
  const colon = text.lastIndexOf(":");
  element("run").value = colon < 0 ? text || "demo" : text.slice(0, colon);
  element("channel").value = colon < 0 ? "status" : text.slice(colon + 1);
  showCommand();
  if (colon < 0) return close();
  if (location.hash !== "#" + text) history.replaceState(null, "", "#" + text);
  submit();
}

element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
element("disconnect").addEventListener("click", close);
element("clear").addEventListener("click", clear);
element("pause").addEventListener("click", () => {
  pausedAt = isPaused() ? Infinity : rows.length;
  showPause();
  draw();
});
for (const change of ["input", "change"]) {
  element("filter").addEventListener(change, () => {
    const wanted = element("filter").value.toLowerCase();
    if (wanted === needle) return;
    needle = wanted;
    drawAgain();
  });
}
list.addEventListener("scroll", () => {
  // Only a reader moves it back: rows whose height becomes known move it on.
  if (list.scrollHeight - list.scrollTop - list.clientHeight < 40) isAtEnd = true;
  else if (list.scrollTop < lastTop) isAtEnd = false;
  lastTop = list.scrollTop;
  element("newest").hidden = isAtEnd;
});
element("newest").addEventListener("click", toEnd);
for (const field of ["run", "channel"]) element(field).addEventListener("input", showCommand);
window.addEventListener("hashchange", followHash);
setInterval(showNumbers, 500);
followHash();
showNumbers();
