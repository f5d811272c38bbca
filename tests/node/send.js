// tests/node/send.js LIBRARY PORT [--tls DIR] FILE...: sends one message per file over MLLP with an independent client
// (simple-hl7, node-hl7-client or medplum), as its own documentation shows, and prints a JSON line for each: {file, answer}
// or {file, error}. With --tls, DIR holds ca.crt, client.crt and client.key. No file is changed on the way but by the
// library itself.
"use strict";
const fs = require("fs");
const args = process.argv.slice(2);
const library = args.shift(), port = Number(args.shift());
const tls = args[0] === "--tls" ? (args.shift(), args.shift()) : null;
const say = (file, what) => console.log(JSON.stringify({ file, ...what }));
const text = (file) => fs.readFileSync(file, "utf8");

async function simpleHl7(file) {
  const hl7 = require("simple-hl7");
  const client = hl7.Server.createTcpClient({ host: "127.0.0.1", port, keepalive: false });
  const message = new hl7.Parser({ segmentSeperator: "\r" }).parse(text(file));
  return new Promise((good, bad) => client.send(message, (err, ack) => (err ? bad(err) : good(ack.toString()))));
}

async function nodeHl7Client(file) {
  const { Client, Message } = require("node-hl7-client");
  const whole = text(file), version = whole.split("\r")[0].split(whole[3])[11].split(whole[4])[0];
  const options = { host: "127.0.0.1", version };
  if (tls)
    options.tls = { ca: fs.readFileSync(`${tls}/ca.crt`), cert: fs.readFileSync(`${tls}/client.crt`), key: fs.readFileSync(`${tls}/client.key`), servername: "spoed.example" };
  const client = new Client(options);
  return new Promise((good, bad) => {
    const line = client.createConnection({ port }, async (answer) => {
      good(answer.getMessage().toString());
      await line.close();
    });
    line.on("error", bad);
    line.sendMessage(new Message({ text: whole })).catch(bad);
  });
}

async function medplum(file) {
  globalThis.WebSocket = globalThis.WebSocket || class {};
  const { Hl7Client, ReturnAckCategory } = require("@medplum/hl7");
  const { Hl7Message } = require("@medplum/core");
  const client = new Hl7Client({ host: "127.0.0.1", port });
  try {
    // else it waits for an application's answer where the message asks only for an accept acknowledgement
    return (await client.sendAndWait(Hl7Message.parse(text(file)), { returnAck: ReturnAckCategory.FIRST })).toString();
  } finally {
    await client.close();
  }
}

async function main() {
  const send = { "simple-hl7": simpleHl7, "node-hl7-client": nodeHl7Client, medplum }[library];
  for (const file of args) {
    let timer;
    const late = new Promise((_, bad) => (timer = setTimeout(() => bad(new Error("no answer in 10 s")), 10000)));
    try {
      say(file, { answer: await Promise.race([send(file), late]) });
    } catch (err) {
      say(file, { error: String(err.message || err).slice(0, 200) });
    }
    clearTimeout(timer);
  }
  process.exit(0);
}
main();
