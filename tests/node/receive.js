// tests/node/receive.js LIBRARY PORT: an MLLP receiver of somebody else (simple-hl7 or node-hl7-server), as its own
// documentation shows. Prints "ready", then the text of each message it got as a JSON string, one a line.
"use strict";
const [library, port] = [process.argv[2], Number(process.argv[3])];
const say = (what) => console.log(JSON.stringify(what));

if (library === "simple-hl7") {
  const app = require("simple-hl7").tcp();
  app.use((req, res, next) => {
    say(req.msg.toString());
    next();
  });
  app.use((req, res, next) => res.end());
  app.use((err, req, res, next) => res.end());
  app.start(port);
} else {
  const { Server } = require("node-hl7-server");
  const server = new Server({ bindAddress: "127.0.0.1" });
  server.createInbound({ port }, async (req, res) => {
    say(req.getMessage().toString());
    await res.sendResponse("AA");
  });
}
console.log("ready");
