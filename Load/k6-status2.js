// The steady scenario of status2-load for k6 (https://k6.io), whose `k6/websockets` it needs: 1.0 or
// later.
//
//     status2-load --sockets 0 --channels 300 --rate 300 --duration 90s --redis-url redis://…
//     k6 run -e URL=ws://127.0.0.1:9002 -e PAGES=300 -e DURATION=60 Load/k6-status2.js
//
// k6 opens the pages, status2-load publishes, both on one machine or on two whose clocks agree: a
// message carries the time at which it was meant to be sent. Thresholds make k6 end with an error.

import { WebSocket } from "k6/websockets";
import { Counter, Trend } from "k6/metrics";
import execution from "k6/execution";

const URL = __ENV.URL || "ws://127.0.0.1:9002";
const PAGES = Number(__ENV.PAGES || 300);
const CHANNELS = Number(__ENV.CHANNELS || PAGES);
const PREFIX = __ENV.CHANNEL_PREFIX || "load-";
const DURATION = Number(__ENV.DURATION || 60);

const latency = new Trend("status2_latency", true);
const delivered = new Counter("status2_delivered");
const lost = new Counter("status2_lost");
const repeated = new Counter("status2_repeated_or_reordered");
const ended = new Counter("status2_ended");

export const options = {
    scenarios: {
        steady: {
            executor: "per-vu-iterations", vus: PAGES, iterations: 1,
            maxDuration: `${DURATION + 60}s`,
        },
    },
    thresholds: {
        status2_latency: ["p(95)<50"],
        status2_delivered: ["count>0"],
        status2_lost: ["count==0"],
        status2_repeated_or_reordered: ["count==0"],
        status2_ended: ["count==0"],
    },
};

// A message is `s2l1 <sender> <number> <nanoseconds since the Unix epoch> `, then padding. The
// nanoseconds exceed what a number holds exactly; their milliseconds do not.
const MESSAGE = /^s2l1 ([0-9a-f]{8}) (\d+) (\d+)(\d{6}) /;

export default function () {
    const page = (execution.vu.idInTest - 1) % CHANNELS;
    const socket = new WebSocket(`${URL}/${PREFIX}${page}:status`);
    // The number that comes next from each sender; a page counts from the first that it hears.
    const next = {};
    let isOver = false;

    // A counter that nothing was added to has no value, and its threshold would not be looked at.
    for (const counter of [lost, repeated, ended]) counter.add(0);

    socket.onopen = () => {
        socket.send('{"type":"init"}');
        setTimeout(() => {
            isOver = true;
            socket.close();
        }, DURATION * 1000);
    };
    socket.onmessage = (event) => {
        const message = JSON.parse(event.data);
        if (message.type === "ping") {
            socket.send('{"type":"pong"}');
            return;
        }
        const parts = message.type === "status" ? MESSAGE.exec(message.data) : null;
        if (parts === null) return;
        const [, sender, digits, milliseconds, fraction] = parts;
        const number = Number(digits);
        const expected = next[sender];
        if (expected !== undefined && number < expected) {
            repeated.add(1);
            return;
        }
        if (expected !== undefined && number > expected) lost.add(number - expected);
        next[sender] = number + 1;
        delivered.add(1);
        latency.add(Date.now() - Number(milliseconds) - Number(fraction) / 1e6);
    };
    socket.onclose = () => {
        if (!isOver) ended.add(1);
    };
    socket.onerror = (event) => {
        if (!isOver) console.error(`page ${page}: ${event.error}`);
    };
}
