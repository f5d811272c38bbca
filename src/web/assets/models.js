/* models.js: which models there are, in which mode, and when each was last heard. Shadow models
 * stand here and nowhere in a reader's list. Figures of quality come later, and the page says so. */
import { $, el, fill } from "./dom.js";
import { currentSession, get, needSession } from "./api.js";
import { knows, loadLanguage, t } from "./i18n.js";
import { dateTime, ms, now, setServerNow, span, whole } from "./time.js";
import { banner, drawShell } from "./shell.js";

/** One line per version: a model without known versions is one line. */
export function versionRows(models) {
    return (models || []).flatMap((m) => {
        const versions = (m.versions || []).filter((v) => typeof v === "object");
        const plain = (m.versions || []).filter((v) => typeof v === "string").join(", ");
        return versions.length
            ? versions.map((v) => ({ ...m, ...v, id: m.id, name: m.name, mode: v.mode || m.mode }))
            : [{ ...m, version: m.version || plain }];
    });
}

const modeText = (mode) => (knows(`mode_${mode}`) ? t(`mode_${mode}`) : mode || "–");
const count = (n) => (typeof n === "number" ? whole(n) : "–");

function row(m) {
    const cell = (key, ...kids) => el("td", { "data-label": t(key) }, el("div", null, kids));
    const last = m.last_result;
    return el(
        "tr",
        { dataset: { model: m.id } },
        cell(
            "m_model",
            el("strong", null, m.id),
            el(
                "div",
                { class: "small muted" },
                [m.manufacturer, m.name].filter(Boolean).join(" · "),
            ),
        ),
        cell("m_version", m.version || "–"),
        cell(
            "m_mode",
            el("span", { class: "tag" }, modeText(m.mode)),
            m.mode_reason || m.reason
                ? el("div", { class: "small muted" }, m.mode_reason || m.reason)
                : null,
        ),
        cell("m_required", t(m.required ? "yes" : "no")),
        cell(
            "m_last",
            last
                ? [
                      t("ago", { span: span(now() - ms(last)) }),
                      el("div", { class: "small muted num" }, dateTime(last)),
                  ]
                : t("m_never"),
        ),
        cell("m_results", el("span", { class: "num" }, count(m.results))),
        cell("m_positives", el("span", { class: "num" }, count(m.positives))),
        cell("m_late", el("span", { class: "num" }, count(m.late))),
    );
}

async function draw() {
    try {
        const data = await get("/api/v1/models");
        setServerNow(data.now);
        const rows = versionRows(data.models);
        const heads = [
            "m_model",
            "m_version",
            "m_mode",
            "m_required",
            "m_last",
            "m_results",
            "m_positives",
            "m_late",
        ];
        fill($("banners"));
        fill(
            $("models"),
            rows.length
                ? el(
                      "table",
                      { class: "plain cardable" },
                      el(
                          "thead",
                          null,
                          el(
                              "tr",
                              null,
                              heads.map((k) => el("th", { scope: "col" }, t(k))),
                          ),
                      ),
                      el("tbody", null, rows.map(row)),
                  )
                : el("div", { class: "empty" }, el("strong", null, t("m_none")), t("m_none_todo")),
        );
    } catch (e) {
        if (e.status === undefined) throw e;
        fill(
            $("banners"),
            banner(
                "warn",
                "n-error",
                e.status === 403 ? t("page_role", { role: t("role_manager") }) : e.sentence,
            ),
        );
    }
}

function redraw() {
    drawShell({ page: "models", session: currentSession(), afterwards: redraw });
    draw();
}

async function start() {
    await loadLanguage();
    await needSession();
    redraw();
    setInterval(draw, 30000);
}

start();
