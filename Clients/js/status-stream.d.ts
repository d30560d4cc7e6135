// Types of status-stream.js: of the ES module, and of the global `StatusStream` of the classic script.

export as namespace StatusStream;

/** A message of the channel. */
export interface StatusMessage {
  type: "status";
  /** What was published. */
  data: string;
  /** Its place in the stream, `<epoch>-<n>`, where the service knows resume. */
  id?: string;
}

/** Messages may be missing between two instants, in milliseconds of Unix time. */
export interface Gap {
  type: "gap";
  /**
   * `redis_outage` and `payload_too_large`: the service missed them. `resume`: the service no longer
   * has what was published while the page was away. `reconnect`: the page was away and the service
   * does not know resume; these times are those of the page's own clock.
   */
  reason: "redis_outage" | "payload_too_large" | "resume" | "reconnect" | (string & {});
  from_ms: number;
  to_ms: number;
}

/**
 * - `connecting`: a socket is being opened.
 * - `open`: the socket is open; whether messages come is not known yet.
 * - `live`: messages come as they are published.
 * - `outage`: the socket lives, and the service has lost its Redis; `since_ms` says since when.
 * - `waiting`: the socket has ended; the next one is made `delay` milliseconds later, or when the page
 *   is back from the cache of pages to go back to. `code` is 0 where the page itself has given up.
 * - `closed`: for good, by `close()` or by a hangup, as `reason` says.
 */
export type State = "connecting" | "open" | "live" | "outage" | "waiting" | "closed";

export interface StateDetail {
  url?: string;
  since_ms?: number;
  delay?: number;
  code?: number;
  reason?: string;
}

export interface ConnectOptions {
  /** Each message once, in order. */
  onMessage?(data: string, message: StatusMessage): void;
  onState?(state: State, detail: StateDetail): void;
  /** Messages may be missing before the next one. */
  onGap?(gap: Gap): void;
  /** A heartbeat came: the socket lives. */
  onPing?(): void;
  /** A socket's error event, which says nothing of the cause; `waiting` follows. */
  onError?(error: Event): void;
  /** Asks for what was missed while the page was away; by default true. */
  resume?: boolean;
  /** Comes back after a `hangup` too, which by default ends the stream for good. */
  returnAfterHangup?: boolean;
  /** The longest first wait, in milliseconds; by default 1000. It doubles with each failure. */
  retryBase?: number;
  /** The longest wait of all, in milliseconds; by default 15000. */
  retryMax?: number;
}

export interface Stream {
  readonly state: State;
  /** The id of the last message; empty where there is none. */
  readonly id: string;
  /** Ends the stream for good. */
  close(): void;
  /** Cuts a wait short, not below what the service has asked for. */
  retry(): void;
}

/**
 * Follows a channel.
 *
 * @param url the folder of the channels: `wss://host/status/`, or relative to the page
 */
export function connect(
  url: string | URL, run: string, channel: string, options?: ConnectOptions): Stream;

export interface Append {
  /** The line in the log. */
  message: string;
  /** What it was made of. */
  raw: unknown;
  meta: unknown;
}

export interface Trigger {
  event: string;
  controller: string | null;
  tokens: string[];
  raw: string;
}

export interface StacktraceOptions {
  element?: Element | string | null;
  /** The same as `element`. */
  panel?: Element | string | null;
  body?: Element | string | null;
  /** What is known of a job; by default asked of `/rq-engine/api/jobinfo/`. */
  fetchJobInfo?(job: string): Promise<string | null> | null;
  /** Shows it as markup, which then must be trusted; by default as text. */
  allowHtml?: boolean;
}

export interface AttachOptions {
  element?: Element | string | null;
  /** The same as `element`. */
  root?: Element | string | null;
  /** By default the `[data-status-log]` in the element. */
  logElement?: Element | string | null;
  /** By default the page's global `runid` or `runId`, or else `anonymous`. */
  runId?: string | null;
  channel: string;
  /** The folder of the channels; by default `/weppcloud-microservices/status/` of the page's host. */
  url?: string;
  /** Lines of the log; by default 1000. */
  logLimit?: number;
  formatter?(raw: unknown): unknown;
  /** Draws the log so many milliseconds after a line at most, by default at once. */
  renderBatchMs?: number;
  onAppend?(detail: Append & { stream: Panel }): void;
  onTrigger?(detail: Trigger): void;
  stacktrace?: StacktraceOptions | null;
  /** By default 1500. */
  reconnectBaseMs?: number;
  /** By default 15000. */
  reconnectMaxMs?: number;
  autoConnect?: boolean;
  resume?: boolean;
}

/**
 * A panel with a log. Its element gets the events `status:append` (Append), `status:trigger`
 * (Trigger), `status:connected` (`{ url }`), `status:disconnected` (`{ willReconnect }`),
 * `status:error` (`{ error }`) and `status:gap` (Gap).
 */
export interface Panel {
  readonly element: Element;
  readonly logElement: Element;
  append(raw: unknown, meta?: unknown): void;
  clear(): void;
  /** Opens the stream where it has ended, and cuts a wait short. */
  connect(): void;
  disconnect(): void;
  isConnected(): boolean;
  setStacktrace(options: StacktraceOptions | null): void;
}

export function attach(options: AttachOptions): Panel;
export function get(target: Panel | Element | string | null | undefined): Panel | null;
export function append(target: Panel | Element | string, raw: unknown, meta?: unknown): void;
export function disconnect(target: Panel | Element | string): void;

declare const StatusStream: {
  connect: typeof connect;
  attach: typeof attach;
  get: typeof get;
  append: typeof append;
  disconnect: typeof disconnect;
};
export default StatusStream;
