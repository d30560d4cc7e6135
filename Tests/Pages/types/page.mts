// A page in TypeScript: what status-stream.d.ts says of the ES module. It is compiled and never run.
import StatusStream, {
  append, attach, connect, disconnect, get,
  type Gap, type Panel, type State, type StateDetail, type StatusMessage, type Stream,
} from "../../../Clients/js/status-stream.mjs";

const seen: string[] = [];

const stream: Stream = connect("/status/", "run", "wepp", {
  onMessage: (data: string, message: StatusMessage) => seen.push(data, message.id ?? ""),
  onState: (state: State, detail: StateDetail) => {
    if (state === "waiting") seen.push(String((detail.delay ?? 0) / 1000));
  },
  onGap: (gap: Gap) => seen.push(gap.reason, new Date(gap.from_ms).toISOString()),
  onPing: () => {},
  resume: true, retryBase: 500, retryMax: 5000, returnAfterHangup: false,
});
const id: string = stream.id;
stream.retry();
stream.close();
connect(new URL("wss://status.example.org/"), "run", "wepp");

const panel: Panel = attach({
  element: "#panel", channel: "wepp", runId: id, logLimit: 100,
  formatter: (raw) => `[${raw}]`,
  onAppend: ({ message, stream: from }) => from.append(message.length),
  onTrigger: ({ event, controller }) => seen.push(event, controller ?? ""),
  stacktrace: { element: document.body, fetchJobInfo: (job) => Promise.resolve(job) },
});
panel.connect();
const found: Panel | null = get("#panel");
append(found ?? panel, "a line", { by: "hand" });
disconnect(document.body);
StatusStream.connect("/", "run", "wepp").close();

// What is a mistake is one for the compiler too.
// @ts-expect-error a channel is needed
connect("/status/", "run");
// @ts-expect-error no such option
connect("/status/", "run", "wepp", { onMesage: () => {} });
// @ts-expect-error the position is the client's
stream.id = "x";
// @ts-expect-error a panel needs a channel
attach({ element: "#panel" });
// @ts-expect-error no state of this name
const state: State = "dead";
void state;
