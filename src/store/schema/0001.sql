-- 0001.sql: the first schema. A file that has been released is never changed; the next change is 0002.sql.
-- One table per object of src/model/model.def, one column per scalar member, lists as JSON. Times are
-- microseconds since 1970-01-01 UTC, 0 = not known; probabilities are millionths, -1 = not said.
-- `order`, `to`, `by` and the like are words of SQL: write them in double quotes.

CREATE TABLE "item"(
  "id" INTEGER PRIMARY KEY,
  "accession_value" TEXT NOT NULL DEFAULT '',
  "accession_authority" TEXT NOT NULL DEFAULT '',
  "placer_value" TEXT NOT NULL DEFAULT '',
  "placer_authority" TEXT NOT NULL DEFAULT '',
  "filler_value" TEXT NOT NULL DEFAULT '',
  "filler_authority" TEXT NOT NULL DEFAULT '',
  "patient_ids" TEXT NOT NULL DEFAULT '[]',
  "patient_name" TEXT NOT NULL DEFAULT '',
  "patient_birth_date" TEXT NOT NULL DEFAULT '',
  "patient_sex" TEXT NOT NULL DEFAULT '',
  "procedures" TEXT NOT NULL DEFAULT '[]',
  "study_uids" TEXT NOT NULL DEFAULT '[]',
  "modality" TEXT NOT NULL DEFAULT '',
  "body_part" TEXT NOT NULL DEFAULT '',
  "location" TEXT NOT NULL DEFAULT '',
  "patient_class" TEXT NOT NULL DEFAULT '',
  "order_priority" TEXT NOT NULL DEFAULT '',
  "requester" TEXT NOT NULL DEFAULT '',
  "clinical_info" TEXT NOT NULL DEFAULT '',
  "callback" TEXT NOT NULL DEFAULT '',
  "peer" TEXT NOT NULL DEFAULT '',
  "source_message" INTEGER NOT NULL DEFAULT 0,
  "source_time" INTEGER NOT NULL DEFAULT 0,
  "order" TEXT NOT NULL DEFAULT '',
  "images" TEXT NOT NULL DEFAULT '',
  "reading" TEXT NOT NULL DEFAULT '',
  "report" TEXT NOT NULL DEFAULT '',
  "cancel_confirmed" INTEGER NOT NULL DEFAULT 0,
  "created" INTEGER NOT NULL DEFAULT 0,
  "scheduled" INTEGER NOT NULL DEFAULT 0,
  "exam_done" INTEGER NOT NULL DEFAULT 0,
  "images_first" INTEGER NOT NULL DEFAULT 0,
  "images_complete" INTEGER NOT NULL DEFAULT 0,
  "arrived" INTEGER NOT NULL DEFAULT 0,
  "level" TEXT NOT NULL DEFAULT '',
  "base_level" TEXT NOT NULL DEFAULT '',
  "level_since" INTEGER NOT NULL DEFAULT 0,
  "due" INTEGER NOT NULL DEFAULT 0,
  "wait_raises" INTEGER NOT NULL DEFAULT 0,
  "person_level" TEXT NOT NULL DEFAULT '',
  "person_reason" TEXT NOT NULL DEFAULT '',
  "person_by" TEXT NOT NULL DEFAULT '',
  "reasons" TEXT NOT NULL DEFAULT '[]',
  "claimed_by" TEXT NOT NULL DEFAULT '',
  "claim_until" INTEGER NOT NULL DEFAULT 0,
  "opened" TEXT NOT NULL DEFAULT '[]',
  "report_by" TEXT NOT NULL DEFAULT '',
  "report_at" INTEGER NOT NULL DEFAULT 0,
  "report_text" TEXT NOT NULL DEFAULT '',
  "sent" TEXT NOT NULL DEFAULT '[]',
  "unmatched" INTEGER NOT NULL DEFAULT 0,
  "parked" INTEGER NOT NULL DEFAULT 0,
  "contradiction" INTEGER NOT NULL DEFAULT 0,
  "no_draft_nl" TEXT NOT NULL DEFAULT '',
  "no_draft_en" TEXT NOT NULL DEFAULT '',
  "ask_person" INTEGER NOT NULL DEFAULT 0,
  "status_note" TEXT NOT NULL DEFAULT '',
  "procedure_id" TEXT NOT NULL DEFAULT '',
  "step_id" TEXT NOT NULL DEFAULT '',
  "station_ae" TEXT NOT NULL DEFAULT '',
  "region" TEXT NOT NULL DEFAULT '',
  "revision" INTEGER NOT NULL DEFAULT 0,
  "policy_hash" TEXT NOT NULL DEFAULT '',
  "report_message" INTEGER NOT NULL DEFAULT 0,
  "report_model" TEXT NOT NULL DEFAULT '',
  "cancelled_at" INTEGER NOT NULL DEFAULT 0,
  "wait_level" TEXT NOT NULL DEFAULT '',
  "raised_at" INTEGER NOT NULL DEFAULT 0,
  "priority_wire" TEXT NOT NULL DEFAULT '',
  "imported" INTEGER NOT NULL DEFAULT 0,
  "import_mark" INTEGER NOT NULL DEFAULT 0,
  "extra_since" INTEGER NOT NULL DEFAULT 0,
  "report_time" INTEGER NOT NULL DEFAULT 0,
  "own_ids" TEXT NOT NULL DEFAULT '[]',
  "own_name" TEXT NOT NULL DEFAULT '',
  "own_birth_date" TEXT NOT NULL DEFAULT '',
  "own_sex" TEXT NOT NULL DEFAULT '',
  "account_value" TEXT NOT NULL DEFAULT '',
  "account_authority" TEXT NOT NULL DEFAULT '',
  "visit_value" TEXT NOT NULL DEFAULT '',
  "visit_authority" TEXT NOT NULL DEFAULT '',
  "adt_time" INTEGER NOT NULL DEFAULT 0,
  "discharged" INTEGER NOT NULL DEFAULT 0,
  "appointment" TEXT NOT NULL DEFAULT '',
  "appointment_time" INTEGER NOT NULL DEFAULT 0,
  "room" TEXT NOT NULL DEFAULT '',
  "acquiring" INTEGER NOT NULL DEFAULT 0,
  "named_studies" TEXT NOT NULL DEFAULT '[]',
  "workitem" INTEGER NOT NULL DEFAULT 0,
  "report_kept_reading" TEXT NOT NULL DEFAULT '',
  "report_kept_report" TEXT NOT NULL DEFAULT '',
  "report_kept_by" TEXT NOT NULL DEFAULT '',
  "report_kept_at" INTEGER NOT NULL DEFAULT 0,
  "report_kept_text" TEXT NOT NULL DEFAULT '',
  "report_kept_time" INTEGER NOT NULL DEFAULT 0,
  "report_kept_status_note" TEXT NOT NULL DEFAULT '',
  "report_kept_left" TEXT NOT NULL DEFAULT '',
  "report_kept_left_at" INTEGER NOT NULL DEFAULT 0,
  "reports_since" TEXT NOT NULL DEFAULT '[]',
  "status" TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE "study"(
  "id" INTEGER PRIMARY KEY,
  "study_uid" TEXT NOT NULL DEFAULT '',
  "first_at" INTEGER NOT NULL DEFAULT 0,
  "complete_at" INTEGER NOT NULL DEFAULT 0,
  "last_at" INTEGER NOT NULL DEFAULT 0,
  "instances" TEXT NOT NULL DEFAULT '[]',
  "instance_count" INTEGER NOT NULL DEFAULT 0,
  "accession_value" TEXT NOT NULL DEFAULT '',
  "accession_authority" TEXT NOT NULL DEFAULT '',
  "patient_ids" TEXT NOT NULL DEFAULT '[]',
  "patient_name" TEXT NOT NULL DEFAULT '',
  "patient_birth_date" TEXT NOT NULL DEFAULT '',
  "patient_sex" TEXT NOT NULL DEFAULT '',
  "steps" TEXT NOT NULL DEFAULT '[]',
  "notified" INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE "result"(
  "id" INTEGER PRIMARY KEY,
  "at" INTEGER NOT NULL DEFAULT 0,
  "sop_class" TEXT NOT NULL DEFAULT '',
  "sop_uid" TEXT NOT NULL DEFAULT '',
  "series_uid" TEXT NOT NULL DEFAULT '',
  "study_uid" TEXT NOT NULL DEFAULT '',
  "accession_value" TEXT NOT NULL DEFAULT '',
  "accession_authority" TEXT NOT NULL DEFAULT '',
  "patient_ids" TEXT NOT NULL DEFAULT '[]',
  "patient_name" TEXT NOT NULL DEFAULT '',
  "patient_birth_date" TEXT NOT NULL DEFAULT '',
  "patient_sex" TEXT NOT NULL DEFAULT '',
  "peer" TEXT NOT NULL DEFAULT '',
  "message" INTEGER NOT NULL DEFAULT 0,
  "model" TEXT NOT NULL DEFAULT '',
  "manufacturer" TEXT NOT NULL DEFAULT '',
  "name" TEXT NOT NULL DEFAULT '',
  "version" TEXT NOT NULL DEFAULT '',
  "mode" TEXT NOT NULL DEFAULT '',
  "state" TEXT NOT NULL DEFAULT '',
  "findings" TEXT NOT NULL DEFAULT '[]',
  "instances" TEXT NOT NULL DEFAULT '[]',
  "predecessors" TEXT NOT NULL DEFAULT '[]',
  "tracking" TEXT NOT NULL DEFAULT '[]',
  "content_at" INTEGER NOT NULL DEFAULT 0,
  "correction" INTEGER NOT NULL DEFAULT 0,
  "superseded_by" INTEGER NOT NULL DEFAULT 0,
  "parked" INTEGER NOT NULL DEFAULT 0,
  "items" TEXT NOT NULL DEFAULT '[]',
  "notes" TEXT NOT NULL DEFAULT '[]',
  "text" TEXT NOT NULL DEFAULT '',
  "contradicts" INTEGER NOT NULL DEFAULT 0,
  "queued_old" INTEGER NOT NULL DEFAULT 0,
  "modality" TEXT NOT NULL DEFAULT '',
  "body_part" TEXT NOT NULL DEFAULT '',
  "link" TEXT NOT NULL DEFAULT '',
  "outputs" TEXT NOT NULL DEFAULT '[]',
  "assigned" TEXT NOT NULL DEFAULT '[]',
  "part" INTEGER NOT NULL DEFAULT 0,
  "device_manufacturer" TEXT NOT NULL DEFAULT '',
  "device_model" TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE "companion"(
  "id" INTEGER PRIMARY KEY,
  "at" INTEGER NOT NULL DEFAULT 0,
  "kind" TEXT NOT NULL DEFAULT '',
  "sop_class" TEXT NOT NULL DEFAULT '',
  "sop_uid" TEXT NOT NULL DEFAULT '',
  "series_uid" TEXT NOT NULL DEFAULT '',
  "study_uid" TEXT NOT NULL DEFAULT '',
  "accession_value" TEXT NOT NULL DEFAULT '',
  "accession_authority" TEXT NOT NULL DEFAULT '',
  "patient_ids" TEXT NOT NULL DEFAULT '[]',
  "patient_name" TEXT NOT NULL DEFAULT '',
  "patient_birth_date" TEXT NOT NULL DEFAULT '',
  "patient_sex" TEXT NOT NULL DEFAULT '',
  "peer" TEXT NOT NULL DEFAULT '',
  "message" INTEGER NOT NULL DEFAULT 0,
  "manufacturer" TEXT NOT NULL DEFAULT '',
  "name" TEXT NOT NULL DEFAULT '',
  "version" TEXT NOT NULL DEFAULT '',
  "title" TEXT NOT NULL DEFAULT '',
  "refs" TEXT NOT NULL DEFAULT '[]',
  "predecessors" TEXT NOT NULL DEFAULT '[]',
  "tracking" TEXT NOT NULL DEFAULT '[]',
  "content_at" INTEGER NOT NULL DEFAULT 0,
  "results" TEXT NOT NULL DEFAULT '[]',
  "linked_by" TEXT NOT NULL DEFAULT '',
  "notes" TEXT NOT NULL DEFAULT '[]'
) STRICT;

CREATE TABLE "parked"(
  "id" INTEGER PRIMARY KEY,
  "at" INTEGER NOT NULL DEFAULT 0,
  "kind" TEXT NOT NULL DEFAULT '',
  "why" TEXT NOT NULL DEFAULT '',
  "why_nl" TEXT NOT NULL DEFAULT '',
  "why_en" TEXT NOT NULL DEFAULT '',
  "level" TEXT NOT NULL DEFAULT '',
  "result" INTEGER NOT NULL DEFAULT 0,
  "message" INTEGER NOT NULL DEFAULT 0,
  "item" INTEGER NOT NULL DEFAULT 0,
  "patient_ids" TEXT NOT NULL DEFAULT '[]',
  "patient_name" TEXT NOT NULL DEFAULT '',
  "patient_birth_date" TEXT NOT NULL DEFAULT '',
  "patient_sex" TEXT NOT NULL DEFAULT '',
  "accession_value" TEXT NOT NULL DEFAULT '',
  "accession_authority" TEXT NOT NULL DEFAULT '',
  "study_uid" TEXT NOT NULL DEFAULT '',
  "peer" TEXT NOT NULL DEFAULT '',
  "closed" INTEGER NOT NULL DEFAULT 0,
  "closed_by" TEXT NOT NULL DEFAULT '',
  "closed_how" TEXT NOT NULL DEFAULT '',
  "closed_reason" TEXT NOT NULL DEFAULT '',
  "sender" TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE "decision"(
  "id" INTEGER PRIMARY KEY,
  "at" INTEGER NOT NULL DEFAULT 0,
  "item" INTEGER NOT NULL DEFAULT 0,
  "seq" INTEGER NOT NULL DEFAULT 0,
  "level" TEXT NOT NULL DEFAULT '',
  "due" INTEGER NOT NULL DEFAULT 0,
  "reasons" TEXT NOT NULL DEFAULT '[]',
  "policy_hash" TEXT NOT NULL DEFAULT '',
  "models" TEXT NOT NULL DEFAULT '',
  "trigger" TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE "alert"(
  "id" INTEGER PRIMARY KEY,
  "at" INTEGER NOT NULL DEFAULT 0,
  "item" INTEGER NOT NULL DEFAULT 0,
  "result" INTEGER NOT NULL DEFAULT 0,
  "sequence" TEXT NOT NULL DEFAULT '',
  "concept" TEXT NOT NULL DEFAULT '',
  "site" TEXT NOT NULL DEFAULT '',
  "laterality" TEXT NOT NULL DEFAULT '',
  "study_uid" TEXT NOT NULL DEFAULT '',
  "level" TEXT NOT NULL DEFAULT '',
  "rule" TEXT NOT NULL DEFAULT '',
  "state" TEXT NOT NULL DEFAULT '',
  "step" INTEGER NOT NULL DEFAULT 0,
  "due" INTEGER NOT NULL DEFAULT 0,
  "started" INTEGER NOT NULL DEFAULT 0,
  "steps" TEXT NOT NULL DEFAULT '[]',
  "repeat" INTEGER NOT NULL DEFAULT 0,
  "rounds" INTEGER NOT NULL DEFAULT 0,
  "ack_by" TEXT NOT NULL DEFAULT '',
  "ack_at" INTEGER NOT NULL DEFAULT 0,
  "ack_how" TEXT NOT NULL DEFAULT '',
  "ack_note" TEXT NOT NULL DEFAULT '',
  "text_nl" TEXT NOT NULL DEFAULT '',
  "text_en" TEXT NOT NULL DEFAULT '',
  "closed_reason" TEXT NOT NULL DEFAULT '',
  "closed" INTEGER NOT NULL DEFAULT 0,
  "unmatched" INTEGER NOT NULL DEFAULT 0,
  "handed_to" TEXT NOT NULL DEFAULT '',
  "evidence" TEXT NOT NULL DEFAULT '[]',
  "resolved_at" INTEGER NOT NULL DEFAULT 0,
  "resolved_by" TEXT NOT NULL DEFAULT '',
  "report_available" INTEGER NOT NULL DEFAULT 0,
  "patient_key" TEXT NOT NULL DEFAULT '',
  "radiologist_read" INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE "alert_attempt"(
  "id" INTEGER PRIMARY KEY,
  "page_id" TEXT NOT NULL DEFAULT '',
  "alert" INTEGER NOT NULL DEFAULT 0,
  "item" INTEGER NOT NULL DEFAULT 0,
  "step" INTEGER NOT NULL DEFAULT 0,
  "at" INTEGER NOT NULL DEFAULT 0,
  "person" TEXT NOT NULL DEFAULT '',
  "to_team" TEXT NOT NULL DEFAULT '',
  "channel" TEXT NOT NULL DEFAULT '',
  "address" TEXT NOT NULL DEFAULT '',
  "outbox" INTEGER NOT NULL DEFAULT 0,
  "outcome" TEXT NOT NULL DEFAULT '',
  "detail" TEXT NOT NULL DEFAULT '',
  "done_at" INTEGER NOT NULL DEFAULT 0,
  "repeat" INTEGER NOT NULL DEFAULT 0,
  "token_hash" TEXT NOT NULL DEFAULT '',
  "token_used" INTEGER NOT NULL DEFAULT 0,
  "kind" TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE "draft"(
  "id" INTEGER PRIMARY KEY,
  "version" INTEGER NOT NULL DEFAULT 0,
  "at" INTEGER NOT NULL DEFAULT 0,
  "state" TEXT NOT NULL DEFAULT '',
  "language" TEXT NOT NULL DEFAULT '',
  "text" TEXT NOT NULL DEFAULT '',
  "models" TEXT NOT NULL DEFAULT '[]',
  "missing" TEXT NOT NULL DEFAULT '[]',
  "results" TEXT NOT NULL DEFAULT '[]',
  "by" TEXT NOT NULL DEFAULT '',
  "decided" INTEGER NOT NULL DEFAULT 0,
  "final_text" TEXT NOT NULL DEFAULT '',
  "note" TEXT NOT NULL DEFAULT '',
  "outbox" INTEGER NOT NULL DEFAULT 0,
  "opened" INTEGER NOT NULL DEFAULT 0,
  "images" INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE "verdict"(
  "id" INTEGER PRIMARY KEY,
  "at" INTEGER NOT NULL DEFAULT 0,
  "item" INTEGER NOT NULL DEFAULT 0,
  "by" TEXT NOT NULL DEFAULT '',
  "verdict" TEXT NOT NULL DEFAULT '',
  "finding" TEXT NOT NULL DEFAULT '',
  "note" TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE "discrepancy"(
  "id" INTEGER PRIMARY KEY,
  "at" INTEGER NOT NULL DEFAULT 0,
  "item" INTEGER NOT NULL DEFAULT 0,
  "result" INTEGER NOT NULL DEFAULT 0,
  "why" TEXT NOT NULL DEFAULT '',
  "concept" TEXT NOT NULL DEFAULT '',
  "closed" INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE "message"(
  "id" INTEGER PRIMARY KEY,
  "at" INTEGER NOT NULL DEFAULT 0,
  "direction" TEXT NOT NULL DEFAULT '',
  "peer" TEXT NOT NULL DEFAULT '',
  "type" TEXT NOT NULL DEFAULT '',
  "sender" TEXT NOT NULL DEFAULT '',
  "control_id" TEXT NOT NULL DEFAULT '',
  "hash" TEXT NOT NULL DEFAULT '',
  "answer" TEXT NOT NULL DEFAULT '',
  "reason" TEXT NOT NULL DEFAULT '',
  "item" INTEGER NOT NULL DEFAULT 0,
  "items" TEXT NOT NULL DEFAULT '[]',
  "raw" BLOB NOT NULL DEFAULT x'',
  "outcome_seq" INTEGER NOT NULL DEFAULT 0,
  "charset" TEXT NOT NULL DEFAULT '',
  "parked" INTEGER NOT NULL DEFAULT 0,
  "outbox" INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE "outbox"(
  "id" INTEGER PRIMARY KEY,
  "at" INTEGER NOT NULL DEFAULT 0,
  "destination" TEXT NOT NULL DEFAULT '',
  "kind" TEXT NOT NULL DEFAULT '',
  "group_key" TEXT NOT NULL DEFAULT '',
  "state" TEXT NOT NULL DEFAULT '',
  "due" INTEGER NOT NULL DEFAULT 0,
  "attempts" INTEGER NOT NULL DEFAULT 0,
  "lease_until" INTEGER NOT NULL DEFAULT 0,
  "item" INTEGER NOT NULL DEFAULT 0,
  "alert" INTEGER NOT NULL DEFAULT 0,
  "page" INTEGER NOT NULL DEFAULT 0,
  "control_id" TEXT NOT NULL DEFAULT '',
  "wire" TEXT NOT NULL DEFAULT '',
  "payload" BLOB NOT NULL DEFAULT x'',
  "to" TEXT NOT NULL DEFAULT '',
  "error" TEXT NOT NULL DEFAULT '',
  "done_at" INTEGER NOT NULL DEFAULT 0,
  "message" INTEGER NOT NULL DEFAULT 0,
  "repeat" INTEGER NOT NULL DEFAULT 0,
  "level" TEXT NOT NULL DEFAULT '',
  "accepted" INTEGER NOT NULL DEFAULT 0,
  "ack" TEXT NOT NULL DEFAULT '',
  "observe" INTEGER NOT NULL DEFAULT 0,
  "unreached" INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE "timer"(
  "id" INTEGER PRIMARY KEY,
  "due" INTEGER NOT NULL DEFAULT 0,
  "kind" TEXT NOT NULL DEFAULT '',
  "subject" INTEGER NOT NULL DEFAULT 0,
  "aux" TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE "alarm"(
  "id" INTEGER PRIMARY KEY,
  "kind" TEXT NOT NULL DEFAULT '',
  "subject" TEXT NOT NULL DEFAULT '',
  "nl" TEXT NOT NULL DEFAULT '',
  "en" TEXT NOT NULL DEFAULT '',
  "since" INTEGER NOT NULL DEFAULT 0,
  "until" INTEGER NOT NULL DEFAULT 0,
  "count" INTEGER NOT NULL DEFAULT 0,
  "last" INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE "model_version"(
  "id" INTEGER PRIMARY KEY,
  "model" TEXT NOT NULL DEFAULT '',
  "version" TEXT NOT NULL DEFAULT '',
  "mode" TEXT NOT NULL DEFAULT '',
  "since" INTEGER NOT NULL DEFAULT 0,
  "by" TEXT NOT NULL DEFAULT '',
  "reason" TEXT NOT NULL DEFAULT '',
  "results" INTEGER NOT NULL DEFAULT 0,
  "last_result" INTEGER NOT NULL DEFAULT 0,
  "late" INTEGER NOT NULL DEFAULT 0,
  "positives" INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE "user"(
  "id" INTEGER PRIMARY KEY,
  "name" TEXT NOT NULL DEFAULT '',
  "roles" TEXT NOT NULL DEFAULT '[]',
  "password" TEXT NOT NULL DEFAULT '',
  "tokens" TEXT NOT NULL DEFAULT '[]',
  "created" INTEGER NOT NULL DEFAULT 0,
  "disabled" INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE "setting"(
  "id" INTEGER PRIMARY KEY,
  "name" TEXT NOT NULL DEFAULT '',
  "value" TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE "document"(
  "id" INTEGER PRIMARY KEY,
  "kind" TEXT NOT NULL DEFAULT '',
  "hash" TEXT NOT NULL DEFAULT '',
  "content" BLOB NOT NULL DEFAULT x'',
  "at" INTEGER NOT NULL DEFAULT 0,
  "active" INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE "audit"(
  "id" INTEGER PRIMARY KEY,
  "at" INTEGER NOT NULL DEFAULT 0,
  "who" TEXT NOT NULL DEFAULT '',
  "act" TEXT NOT NULL DEFAULT '',
  "item" INTEGER NOT NULL DEFAULT 0,
  "alert" INTEGER NOT NULL DEFAULT 0,
  "detail" TEXT NOT NULL DEFAULT '',
  "seq" INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE "merge"(
  "id" INTEGER PRIMARY KEY,
  "at" INTEGER NOT NULL DEFAULT 0,
  "from_value" TEXT NOT NULL DEFAULT '',
  "from_authority" TEXT NOT NULL DEFAULT '',
  "to_value" TEXT NOT NULL DEFAULT '',
  "to_authority" TEXT NOT NULL DEFAULT '',
  "kind" TEXT NOT NULL DEFAULT '',
  "account_value" TEXT NOT NULL DEFAULT '',
  "account_authority" TEXT NOT NULL DEFAULT '',
  "visit_value" TEXT NOT NULL DEFAULT '',
  "visit_authority" TEXT NOT NULL DEFAULT '',
  "peer" TEXT NOT NULL DEFAULT '',
  "message" INTEGER NOT NULL DEFAULT 0,
  "source_time" INTEGER NOT NULL DEFAULT 0,
  "items" TEXT NOT NULL DEFAULT '[]',
  "undone" INTEGER NOT NULL DEFAULT 0,
  "undone_time" INTEGER NOT NULL DEFAULT 0,
  "undone_by" TEXT NOT NULL DEFAULT '',
  "undone_reason" TEXT NOT NULL DEFAULT '',
  "undone_message" INTEGER NOT NULL DEFAULT 0,
  "answered" TEXT NOT NULL DEFAULT '[]',
  "shown" TEXT NOT NULL DEFAULT '[]',
  "kept" TEXT NOT NULL DEFAULT '[]'
) STRICT;

CREATE TABLE "workitem"(
  "id" INTEGER PRIMARY KEY,
  "uid" TEXT NOT NULL DEFAULT '',
  "item" INTEGER NOT NULL DEFAULT 0,
  "state" TEXT NOT NULL DEFAULT '',
  "priority" TEXT NOT NULL DEFAULT '',
  "readiness" TEXT NOT NULL DEFAULT '',
  "created" INTEGER NOT NULL DEFAULT 0,
  "modified" INTEGER NOT NULL DEFAULT 0,
  "claimed" INTEGER NOT NULL DEFAULT 0,
  "ended" INTEGER NOT NULL DEFAULT 0,
  "transaction" TEXT NOT NULL DEFAULT '',
  "performer" TEXT NOT NULL DEFAULT '',
  "replaces" TEXT NOT NULL DEFAULT '',
  "requester" TEXT NOT NULL DEFAULT '',
  "reason" TEXT NOT NULL DEFAULT '',
  "attributes" TEXT NOT NULL DEFAULT '[]',
  "order_cancelled" INTEGER NOT NULL DEFAULT 0,
  "report" TEXT NOT NULL DEFAULT '',
  "report_at" INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE "workitem_report"(
  "id" INTEGER PRIMARY KEY,
  "at" INTEGER NOT NULL DEFAULT 0,
  "seq" INTEGER NOT NULL DEFAULT 0,
  "workitem" INTEGER NOT NULL DEFAULT 0,
  "uid" TEXT NOT NULL DEFAULT '',
  "kind" TEXT NOT NULL DEFAULT '',
  "state" TEXT NOT NULL DEFAULT '',
  "readiness" TEXT NOT NULL DEFAULT '',
  "attributes" TEXT NOT NULL DEFAULT '[]',
  "by" TEXT NOT NULL DEFAULT '',
  "receivers" TEXT NOT NULL DEFAULT '[]'
) STRICT;

CREATE TABLE "subscriber"(
  "id" INTEGER PRIMARY KEY,
  "ae" TEXT NOT NULL DEFAULT '',
  "at" INTEGER NOT NULL DEFAULT 0,
  "ranges" TEXT NOT NULL DEFAULT '[]',
  "filters" TEXT NOT NULL DEFAULT '[]',
  "seen" INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE "subscription"(
  "id" INTEGER PRIMARY KEY,
  "subscriber" INTEGER NOT NULL DEFAULT 0,
  "ae" TEXT NOT NULL DEFAULT '',
  "workitem" INTEGER NOT NULL DEFAULT 0,
  "state" TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE "journal"(
  "id" INTEGER PRIMARY KEY,
  "at" INTEGER NOT NULL DEFAULT 0,
  "type" TEXT NOT NULL DEFAULT '',
  "event" BLOB NOT NULL DEFAULT x''
) STRICT;

-- By which texts an object is found; the kinds are enum spd_key_kind in src/store/store.h.
CREATE TABLE key(
  kind INTEGER NOT NULL,
  text TEXT NOT NULL,
  id INTEGER NOT NULL,
  PRIMARY KEY(kind, text, id)
) STRICT, WITHOUT ROWID;

-- One row per finding of a result, for dashboards; the result row has all of it as JSON.
CREATE TABLE finding(
  result INTEGER NOT NULL,
  n INTEGER NOT NULL, -- from 1, in the order of the result
  items TEXT NOT NULL, -- JSON array of item ids
  concept TEXT NOT NULL,
  present TEXT NOT NULL,
  probability INTEGER NOT NULL,
  site TEXT NOT NULL,
  laterality TEXT NOT NULL,
  PRIMARY KEY(result, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX timer_due ON timer(due, id);
CREATE INDEX outbox_due ON outbox(destination, due, id) WHERE state IN ('queued', 'sending');
CREATE INDEX outbox_state ON outbox(state, id);
CREATE INDEX item_status ON item(status, id);
CREATE INDEX item_name ON item(patient_name);
CREATE INDEX alert_state ON alert(state, id);
CREATE INDEX message_answer ON message(answer, id);
CREATE INDEX message_peer ON message(peer, id);

-- ---- views for Grafana, Metabase and the like; times as text in UTC -----------------------------------

-- What is on the reporting worklist or will be: one row per item that is neither final nor cancelled.
CREATE VIEW report_open_items AS
SELECT id AS item, status, level, base_level, "order_priority", accession_value AS accession, modality,
       body_part, location, patient_class, peer,
       datetime(created / 1000000, 'unixepoch') AS created_utc,
       CASE WHEN arrived > 0 THEN datetime(arrived / 1000000, 'unixepoch') END AS arrived_utc,
       CASE WHEN due > 0 THEN datetime(due / 1000000, 'unixepoch') END AS due_utc,
       wait_raises, unmatched, contradiction, claimed_by, json_extract(reasons, '$[0].rule') AS first_rule
FROM item
WHERE status IN ('ordered', 'arrived', 'in_progress', 'preliminary', 'unmatched', 'cancelled_images_present');

-- One row per alert: how long it took until a named person had acknowledged it, and how many pages.
CREATE VIEW report_alerts AS
SELECT a.id AS alert, a.item, a.concept, a.site, a.level, a.rule, a.state, a.step, a.unmatched,
       datetime(a.at / 1000000, 'unixepoch') AS at_utc,
       a.ack_by, a.ack_how,
       CASE WHEN a.ack_at > 0 THEN (a.ack_at - a.at) / 1000000.0 END AS seconds_to_acknowledge,
       (SELECT count(*) FROM alert_attempt p WHERE p.alert = a.id) AS pages
FROM alert a;

-- Per model and version: volume and outcome of the results that stand (superseded ones left out).
CREATE VIEW report_results_per_model AS
SELECT model, version, mode,
       count(*) AS results,
       sum(state = 'positive') AS positive,
       sum(state = 'negative') AS negative,
       sum(state = 'normal') AS normal,
       sum(state = 'failed') AS failed,
       sum(state = 'not_analysed') AS not_analysed,
       sum(state = 'not_applicable') AS not_applicable,
       sum(parked > 0) AS parked,
       datetime(max(at) / 1000000, 'unixepoch') AS last_utc
FROM result
WHERE superseded_by = 0
GROUP BY model, version, mode;

-- Per finding: what was said where, joined with its result.
CREATE VIEW report_findings AS
SELECT f.result, f.n, r.model, r.version, r.mode, f.concept, f.present, CASE WHEN f.probability >= 0 THEN f.probability / 1000000.0 END AS probability,
       f.site, f.laterality, f.items, datetime(r.at / 1000000, 'unixepoch') AS at_utc
FROM finding f JOIN result r ON r.id = f.result;

-- Per reported item: minutes from arrival on the list to the report, and whether it was late.
CREATE VIEW report_turnaround AS
SELECT id AS item, modality, location, patient_class, level, base_level,
       date(arrived / 1000000, 'unixepoch') AS day_utc,
       (report_at - arrived) / 60000000.0 AS minutes,
       due > 0 AND report_at > due AS late,
       wait_raises
FROM item
WHERE report IN ('final', 'amended') AND report_at > 0 AND arrived > 0;

-- Readers' verdicts per finding, against the models that had spoken on the item.
CREATE VIEW report_verdicts AS
SELECT v.id AS verdict_id, v.item, v.verdict, v.finding, v."by", datetime(v.at / 1000000, 'unixepoch') AS at_utc
FROM verdict v;

-- What waits to leave the house, or could not.
CREATE VIEW report_outbox AS
SELECT destination, kind, state, count(*) AS "rows", max(attempts) AS most_attempts,
       datetime(min(at) / 1000000, 'unixepoch') AS oldest_utc
FROM outbox
GROUP BY destination, kind, state;
