/* shell.js: what stands round every page: navigation, language, theme, connection, who is logged
 * in. */
import { $, el, fill } from "./dom.js";
import { ApiError, request, toLogin } from "./api.js";
import { language, setLanguage, t, translatePage } from "./i18n.js";
import { clock } from "./time.js";

const PAGES = ["worklist", "alerts", "models", "admin"];
const THEMES = ["dark", "light", "system"];

function themeNow() {
    try {
        return (
            localStorage.getItem("spoed.theme") ||
            document.documentElement.dataset.theme ||
            "system"
        );
    } catch (e) {
        return document.documentElement.dataset.theme || "system";
    }
}

function nextTheme() {
    const theme = THEMES[(THEMES.indexOf(themeNow()) + 1) % THEMES.length];
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    try {
        localStorage.setItem("spoed.theme", theme);
    } catch (e) {
        /* holds until the page is left */
    }
}

/** Language and theme switches; afterwards() redraws what the page itself has drawn. */
export function choices(afterwards) {
    const other = language() === "nl" ? "en" : "nl";
    const theme = el(
        "button",
        { type: "button", class: "quiet", id: "theme" },
        t(`theme_${themeNow()}`),
    );
    theme.addEventListener("click", () => {
        nextTheme();
        theme.textContent = t(`theme_${themeNow()}`);
    });
    return [
        el(
            "button",
            {
                type: "button",
                class: "quiet",
                id: "lang",
                lang: other,
                title: t("lang_other"),
                onclick: async () => {
                    await setLanguage(other);
                    afterwards();
                },
            },
            other.toUpperCase(),
        ),
        theme,
    ];
}

async function logout() {
    try {
        await request("DELETE", "/api/v1/session");
    } catch (e) {
        if (!(e instanceof ApiError))
            throw e; /* gone or unreachable: the login page says the rest */
    }
    try {
        sessionStorage.removeItem("spoed.csrf");
    } catch (e) {
        /* nothing was kept */
    }
    location.assign("/login");
}

/** Draws the header. afterwards() is called after a language change. */
export function drawShell({ page, session, live, afterwards }) {
    const active = $("top").contains(document.activeElement) ? document.activeElement.id : null;
    const nav = el(
        "nav",
        { "aria-label": t("nav_label") },
        PAGES.map((name) =>
            el(
                "a",
                { href: `/${name}`, "aria-current": name === page ? "page" : null },
                t(`nav_${name}`),
            ),
        ),
    );
    const state = live
        ? el(
              "span",
              { id: "live", class: "live num", role: "status" },
              el("span", { class: "dot", "aria-hidden": "true" }, "●"),
              el("span", { id: "live-word" }),
          )
        : null;
    fill(
        $("top"),
        el("span", { class: "brand" }, "Spoed"),
        nav,
        el(
            "div",
            { class: "side" },
            state,
            live ? el("span", { id: "live-clock", class: "num" }) : null,
            choices(afterwards),
            session
                ? [
                      el("span", { id: "who" }, session.user),
                      el(
                          "button",
                          { type: "button", class: "quiet", id: "logout", onclick: logout },
                          t("logout"),
                      ),
                  ]
                : null,
        ),
    );
    if (active) $(active)?.focus();
    document.title = `${t(`nav_${page}`)} · Spoed`;
    translatePage();
}

export function drawLive(state, at) {
    const box = $("live");
    if (!box) return;
    box.dataset.state = state;
    const text = t(`live_${state}`);
    if ($("live-word").textContent !== text) $("live-word").textContent = text;
    $("live-clock").textContent = state === "broken" ? "" : clock(at, true);
}

/** A banner line; kind "", "warn" or "bad". */
export function banner(kind, id, ...kids) {
    return el("div", { class: `banner ${kind}`, id }, kids);
}

export const loggedOut = () => toLogin("expired");

/** Why the server says that it is not ready: sentences. Empty when ready or not known. */
export async function readiness() {
    try {
        const data = (await request("GET", "/readyz")).data;
        return { ready: true, reasons: data.reasons || [], data };
    } catch (e) {
        if (e.status === 503)
            return { ready: false, reasons: e.problem.reasons || [], data: e.problem };
        return { ready: null, reasons: [], data: {} };
    }
}

export const reasonText = (r) =>
    typeof r === "string" ? r : r.text || r.reason || r.detail || r.code || "";
