/* time.js: the server's clock, and times as people read them. "Now" is the server's `now` plus
 * what has passed here since, measured by the monotonic clock: a workstation with a wrong clock
 * shows right waits. */
import { language, t } from "./i18n.js";

let base = Date.now();
let mark = performance.now();

export function setServerNow(iso) {
    const at = Date.parse(iso);
    if (Number.isNaN(at)) return;
    base = at;
    mark = performance.now();
}

export const now = () => base + (performance.now() - mark);
export const ms = (iso) => (iso ? Date.parse(iso) : NaN);

/** 41 s · 12 min · 1 u 04 · 3 d 2 u; never negative. */
export function span(millis) {
    const s = Math.max(0, Math.floor(millis / 1000));
    if (s < 60) return t("span_s", { s });
    const m = Math.floor(s / 60);
    if (m < 60) return t("span_m", { m });
    const h = Math.floor(m / 60);
    if (h < 48) return t("span_h", { h, m: String(m % 60).padStart(2, "0") });
    return t("span_d", { d: Math.floor(h / 24), h: h % 24 });
}

/** 3:20, for counting down. */
export function countdown(millis) {
    const s = Math.max(0, Math.floor(millis / 1000));
    return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
}

const locale = () => (language() === "nl" ? "nl-NL" : "en-GB");
const part = (at, options) =>
    new Intl.DateTimeFormat(locale(), { hourCycle: "h23", ...options }).format(at);

export function clock(at, seconds) {
    return part(at, {
        hour: "2-digit",
        minute: "2-digit",
        second: seconds ? "2-digit" : undefined,
    });
}

export function dateTime(iso) {
    const at = ms(iso);
    if (Number.isNaN(at)) return "–";
    return `${part(at, { day: "2-digit", month: "2-digit", year: "numeric" }).replaceAll("/", "-")} ${clock(at)}`;
}

/** Only the clock when it was today, else with the date. */
export function when(iso) {
    const at = ms(iso);
    if (Number.isNaN(at)) return "–";
    return part(at, { dateStyle: "short" }) === part(now(), { dateStyle: "short" })
        ? clock(at)
        : dateTime(iso);
}

export const decimal = (x) =>
    new Intl.NumberFormat(locale(), { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(
        x,
    );
export const whole = (x) => new Intl.NumberFormat(locale()).format(x);
