/* order.js: which rows are shown and why the others are not: filters (kept in the address) and the
 * rule that rows do not move under a reader. Pure functions, no document. */
import { ms, now } from "./time.js";

export const FLAGS = ["finding", "pending", "waiting", "mine"];

/** @param {string} query location.search */
export function readFilters(query) {
    const q = new URLSearchParams(query);
    const flags = (q.get("show") || "").split(",").filter((f) => FLAGS.includes(f));
    return {
        text: q.get("q") || "",
        modality: q.get("modality") || "",
        location: q.get("location") || "",
        status: q.get("status") || "",
        flags,
    };
}

export function writeFilters(f) {
    const q = new URLSearchParams();
    if (f.text) q.set("q", f.text);
    for (const name of ["modality", "location", "status"]) if (f[name]) q.set(name, f[name]);
    if (f.flags.length) q.set("show", f.flags.join(","));
    const text = q.toString();
    return text ? `?${text}` : "";
}

export const filtering = (f) => Boolean(f.text || f.modality || f.location || f.flags.length);

const flat = (s) =>
    String(s || "")
        .normalize("NFD")
        .replace(/\p{M}/gu, "")
        .toLowerCase();
const has = (item, states) =>
    (item.ai || []).some((a) => a.mode !== "shadow" && states.includes(a.state));

const FLAG_TESTS = {
    finding: (item) => has(item, ["positive"]),
    pending: (item) => has(item, ["pending", "late"]),
    waiting: (item) => now() - ms(item.arrived) > 3600e3,
    mine: (item, me) =>
        Boolean(item.reader) && (item.reader.user || item.reader.name || item.reader) === me,
};

export function passes(item, f, me) {
    if (f.modality && item.modality !== f.modality) return false;
    if (f.location && item.location !== f.location) return false;
    if (!f.flags.every((name) => FLAG_TESTS[name](item, me))) return false;
    if (!f.text) return true;
    const p = item.patient || {};
    const hay = flat(
        [
            p.name,
            ...(p.ids || []).map((i) => i.value),
            item.accession && item.accession.value,
            item.placer && item.placer.value,
            item.filler && item.filler.value,
            ...(item.procedures || []).flatMap((x) => [x.text, x.code]),
        ].join(" "),
    );
    return flat(f.text)
        .split(/\s+/)
        .every((word) => hay.includes(word));
}

/** What would change if the new order were drawn over the old one. */
export function difference(shownIds, items) {
    const before = new Set(shownIds);
    const after = new Set(items.map((i) => i.id));
    const added = items.filter((i) => !before.has(i.id));
    const kept = items.filter((i) => before.has(i.id)).map((i) => i.id);
    const stays = shownIds.filter((id) => after.has(id));
    return {
        added: added.length,
        critical: added.filter((i) => i.level === "critical").length,
        gone: shownIds.filter((id) => !after.has(id)),
        moved: kept.some((id, i) => id !== stays[i]),
    };
}
