// tests/node/dicom.js PORT WHAT: a DICOM client that shares no code with ours (dcmjs-dimse). WHAT: echo, worklist, mpps UID STUDY
// PATIENT begin|end. Prints one JSON line: {status, answers}.
"use strict";
const { Client, requests } = require("dcmjs-dimse");
const [port, what, ...more] = process.argv.slice(2);
const MPPS = "1.2.840.10008.3.1.2.3.3";
const { Dataset } = require("dcmjs-dimse");

function request() {
  if (what === "echo") return new requests.CEchoRequest();
  if (what === "worklist") {
    return requests.CFindRequest.createWorklistFindRequest({ PatientName: "*", AccessionNumber: "", PatientID: "",
      ScheduledProcedureStepSequence: [{ Modality: "CT", ScheduledStationAETitle: "" }] });
  }
  const [uid, study, patient, when] = more;
  const begin = new Dataset({ PatientID: patient, IssuerOfPatientID: "ZH", PerformedProcedureStepStatus: "IN PROGRESS",
    ScheduledStepAttributesSequence: [{ StudyInstanceUID: study }] });
  const end = new Dataset({ PerformedProcedureStepStatus: "COMPLETED" });
  const r = when === "begin" ? new requests.NCreateRequest(MPPS, uid) : new requests.NSetRequest(MPPS, uid);
  r.setDataset(when === "begin" ? begin : end);
  return r;
}

const client = new Client(), answers = [];
let status = null;
const r = request();
r.on("response", (response) => {
  status = response.getStatus();
  const d = response.getDataset && response.getDataset();
  if (d) answers.push(d.getElement("AccessionNumber") || "");
});
client.addRequest(r);
const fail = (why) => { process.stdout.write(JSON.stringify({ error: String(why) }) + "\n"); process.exit(1); };
client.on("networkError", fail);
client.on("associationRejected", () => fail("rejected"));
client.on("closed", () => { process.stdout.write(JSON.stringify({ status, answers }) + "\n"); process.exit(0); });
client.send("127.0.0.1", Number(port), "DCMJS", "SPOED");
