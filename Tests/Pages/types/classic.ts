// A page in TypeScript that has loaded the classic script: the global that status-stream.d.ts declares.
/// <reference path="../../../Clients/js/status-stream.d.ts" />

const follow = StatusStream.connect("/status/", "run", "wepp", { onMessage: (line) => line.trim() });
follow.close();
