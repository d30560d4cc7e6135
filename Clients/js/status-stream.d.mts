// Types of the ES module status-stream.mjs: those of status-stream.d.ts.

import type { append, attach, connect, disconnect, get } from "./status-stream.js";

export * from "./status-stream.js";

declare const StatusStream: {
  connect: typeof connect;
  attach: typeof attach;
  get: typeof get;
  append: typeof append;
  disconnect: typeof disconnect;
};
export default StatusStream;
