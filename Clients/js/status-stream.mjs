import "./status-stream.js";

export const { connect, attach, get, append, disconnect } = globalThis.StatusStream;
export default globalThis.StatusStream;
