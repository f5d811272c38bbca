/* words.js: how a level, an AI entry, a patient, a finding and a status read. One place, so that
 * the list, the details and the alerts say the same. Level = word + shape + number; a probability
 * is never in a list. */
import { el } from "./dom.js";
import { knows, t } from "./i18n.js";
import { countdown, decimal, ms, now } from "./time.js";

const LEVELS = { critical: ["▲▲", 1], urgent: ["▲", 2], expedited: ["◆", 3], routine: ["–", 4] };
export const levelNames = Object.keys(LEVELS);

export function levelText(level) {
    const known = LEVELS[level];
    return known ? `${known[1]} ${t(`level_${level}`)}` : level || "–";
}

export function levelBadge(level) {
    const [shape] = LEVELS[level] || ["•"];
    return el(
        "span",
        { class: `level level-${LEVELS[level] ? level : "routine"}` },
        el("span", { class: "shape", "aria-hidden": "true" }, shape),
        el("span", null, levelText(level)),
    );
}

export const atLevel = (level) => (LEVELS[level] ? `at-${level}` : "");

export function conceptText(concept) {
    return knows(`concept_${concept}`)
        ? t(`concept_${concept}`)
        : String(concept || "").replaceAll("-", " ");
}
/** Our own word where there is one (in the reader's language), else as the sender wrote it. */
export const findingText = (f) =>
    knows(`concept_${f.concept}`)
        ? t(`concept_${f.concept}`)
        : f.text || conceptText(f.concept) || t("finding_unnamed");

/** A positive result may also say what it did not find; that is not suspected. */
export const isPresent = (f) => !f.present || f.present === "present";

const GLYPHS = {
    positive: "●",
    negative: "○",
    normal: "○",
    pending: "◌",
    late: "◷",
    failed: "✕",
    not_applicable: "∅",
    not_analysed: "?",
};
const URGENCY = [
    "positive",
    "failed",
    "late",
    "not_analysed",
    "pending",
    "negative",
    "normal",
    "not_applicable",
];

export function aiSorted(ai) {
    const place = (a) => {
        const i = URGENCY.indexOf(a.state);
        return i < 0 ? URGENCY.length : i;
    };
    return (ai || [])
        .filter((a) => a.mode !== "shadow")
        .slice()
        .sort((a, b) => place(a) - place(b));
}

/** The sentence of one AI entry; a pending one changes with the clock. */
export function aiText(a) {
    const names = (a.findings || [])
        .filter((f) => a.state !== "positive" || isPresent(f))
        .map(findingText)
        .join(", ");
    switch (a.state) {
        case "positive":
            return t("ai_positive", { what: names || t("finding_unnamed") });
        case "negative":
        case "normal":
            return names ? t(`ai_${a.state}_of`, { what: names }) : t(`ai_${a.state}`);
        case "pending": {
            const left = ms(a.expected_at) - now();
            return Number.isNaN(left)
                ? t("ai_pending")
                : left > 0
                  ? t("ai_pending_left", { left: countdown(left) })
                  : t("ai_pending_over");
        }
        default:
            return knows(`ai_${a.state}`) ? t(`ai_${a.state}`) : a.state;
    }
}

/** Returns a node; node.tick() renews a countdown. */
export function aiChip(a, extra) {
    const text = el("span", null, aiText(a));
    const node = el(
        "span",
        { class: `ai ai-${a.state}` },
        el("span", { class: "glyph", "aria-hidden": "true" }, GLYPHS[a.state] || "?"),
        text,
        a.mode === "acceptance" ? el("span", { class: "tag" }, t("mode_acceptance")) : null,
        extra ? el("span", { class: "tag" }, extra) : null,
    );
    if (a.state === "pending")
        node.tick = () => {
            const s = aiText(a);
            if (text.textContent !== s) text.textContent = s;
        };
    return node;
}

export function age(birth) {
    const d = String(birth || "").replaceAll("-", "");
    if (!/^\d{4}/.test(d)) return null;
    const today = new Date(now());
    let years = today.getFullYear() - Number(d.slice(0, 4));
    const monthDay = (today.getMonth() + 1) * 100 + today.getDate();
    if (d.length >= 8 && monthDay < Number(d.slice(4, 8))) years--;
    return years >= 0 && years < 130 ? years : null;
}

export const sexText = (sex) => (sex && knows(`sex_${sex}`) ? t(`sex_${sex}`) : "");

/** Name, and "V 71". */
export function patientLines(p) {
    if (!p) return [t("patient_unknown"), ""];
    const years = age(p.birth_date);
    return [
        p.name || t("patient_unnamed"),
        [sexText(p.sex), years === null ? "" : String(years)].filter(Boolean).join(" "),
    ];
}

export const patientText = (p) => patientLines(p).filter(Boolean).join(" · ");

/** 14-03-1955 of 19550314 or 1955-03-14; a bare year stays a year. */
export function birthText(birth) {
    const d = String(birth || "").replaceAll("-", "");
    return /^\d{8}/.test(d)
        ? `${d.slice(6, 8)}-${d.slice(4, 6)}-${d.slice(0, 4)}`
        : String(birth || "");
}

/** What may stand on a phone that lies on a desk: initials and birth year. */
export function patientShort(p) {
    if (!p) return t("patient_unknown");
    const initials = String(p.name || "")
        .split(/[\s,^]+/)
        .filter(Boolean)
        .map((w) => `${[...w][0].toUpperCase()}.`)
        .join("");
    const year = String(p.birth_date || "").slice(0, 4);
    return [initials || t("patient_unnamed"), sexText(p.sex), year ? `*${year}` : ""]
        .filter(Boolean)
        .join(" ");
}

export const procedureText = (item) =>
    (item.procedures || [])
        .map((p) => p.text || p.code)
        .filter(Boolean)
        .join(" + ") ||
    item.modality ||
    "–";
export const accessionText = (a) => (!a ? "" : typeof a === "string" ? a : a.value || "");
export const statusText = (status) =>
    knows(`status_${status}`) ? t(`status_${status}`) : status || "";
export const priorityText = (p) => (p ? (knows(`priority_${p}`) ? t(`priority_${p}`) : p) : "");
export const classText = (c) => (c ? (knows(`class_${c}`) ? t(`class_${c}`) : c) : "");
/** Where the patient is; the class only where the place does not say it already. */
export function placeText(item) {
    const kind = classText(item.patient_class);
    const place = item.location || "";
    return [place, place.toLowerCase().includes(kind.toLowerCase()) ? "" : kind]
        .filter(Boolean)
        .join(" · ");
}

export const probabilityText = (p) =>
    typeof p === "number" && p >= 0 ? t("score", { p: decimal(p) }) : "";
