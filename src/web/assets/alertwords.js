/* alertwords.js: what an alert says about itself: whether it is open, where it comes from, who was paged and
 * who has seen it. Knows neither the page nor the server. */
import { el } from "./dom.js";
import { knows, t, tn } from "./i18n.js";
import { ms, now, when } from "./time.js";
import { understood } from "./waiting.js";
import { levelNames } from "./words.js";

export const OPEN = [
    "due",
    "sending",
    "sent",
    "delivered",
    "declined",
    "handed_over",
    "escalated",
    "exhausted",
];
const WITHDRAWN_MS = 12 * 3600e3;

export function sourceText(alert, item) {
    if (alert.source) return alert.source;
    const report = item && item.report;
    if (report === "final" || report === "amended" || alert.report_available)
        return t("source_report");
    if (alert.unmatched || (item && item.status === "unmatched")) return t("source_unmatched");
    return t(alert.radiologist_read ? "source_opened" : "source_ai");
}

export function ackLine(alert) {
    const a = alert.acknowledged;
    if (!a) return null;
    const how = knows(`how_${a.how}`) ? t(`how_${a.how}`) : a.how || "–";
    return el("p", { class: "state ok" }, t("seen_by", { by: a.by, at: when(a.at), how }));
}

export function pagesLine(alert) {
    const pages = alert.pages || [];
    if (!pages.length) return null;
    const last = pages[pages.length - 1];
    return el(
        "p",
        { class: "small muted" },
        tn("paged", pages.length, { to: last.to, at: when(last.at) }),
    );
}

/** Withdrawn in the last half day, and not yet understood on this device: it must be seen too. */
export function stillToRead(alert) {
    if (alert.state !== "withdrawn") return false;
    const at = ms(alert.closed || alert.at || (alert.pages && alert.pages[0] && alert.pages[0].at));
    return now() - at < WITHDRAWN_MS && !understood().includes(alert.id);
}

/** Most urgent first; withdrawn last. */
export function byUrgency(a, b) {
    const place = (x) =>
        (OPEN.includes(x.state) ? 0 : 10) + ((levelNames.indexOf(x.level) + 9) % 9);
    return place(a) - place(b) || (ms(a.due) || 0) - (ms(b.due) || 0);
}
