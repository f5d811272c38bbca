/* alerts.js: the emergency doctor's page, phone first. A card per alert: level, finding, where it
 * comes from, who, how long until the next step, and three answers. An acknowledgement that did
 * not reach the server says so ("nog niet verzonden") and is tried again; it never looks done
 * before the server said so. On the card: initials and birth year; the full name after a tap. */
import { $, el, fill, say, toast } from "./dom.js";
import { currentSession, get, hasRole, needSession, post } from "./api.js";
import { loadLanguage, t } from "./i18n.js";
import { clock, countdown, ms, now, setServerNow, span } from "./time.js";
import { understood, waiting } from "./waiting.js";
import { ackLine, byUrgency, OPEN, pagesLine, sourceText, stillToRead } from "./alertwords.js";
import { Stream } from "./stream.js";
import { banner, drawLive, drawShell } from "./shell.js";
import {
    accessionText,
    atLevel,
    conceptText,
    levelBadge,
    patientShort,
    patientText,
    procedureText,
} from "./words.js";

const TABS = ["open", "acknowledged", "all"];

const state = {
    alerts: [],
    items: new Map(),
    tab: "open",
    loaded: false,
    error: "",
    live: "delayed",
    lastAt: 0,
    revision: 0,
    asking: null,
    form: null,
    full: new Set(),
    nodes: new Map(),
    stale: new Set(),
};
let stream = null;

/* ---- fetching ------------------------------------------------------------------------------ */
async function refresh() {
    try {
        const tab = state.tab;
        const data = await get(`/api/v1/alerts?state=${tab === "open" ? "open" : "all"}`);
        const gone = tab === "open" ? (await get("/api/v1/alerts?state=withdrawn")).alerts : [];
        if (tab !== state.tab) return; /* another tab was chosen meanwhile, and asks for itself */
        setServerNow(data.now);
        state.revision = data.revision;
        state.lastAt = now();
        state.alerts = [...(data.alerts || []), ...(gone || [])];
        state.loaded = true;
        state.error = "";
        if (stream) stream.contact();
        draw();
        state.alerts
            .filter(
                (a) =>
                    a.item &&
                    !a.patient &&
                    (state.stale.delete(a.item) || !state.items.has(a.item)),
            )
            .slice(0, 50)
            .forEach(fetchItem);
    } catch (e) {
        if (e.status === undefined) throw e;
        state.error = e.sentence;
        if (e.status === 401) expired();
        draw();
    }
}

async function fetchItem(alert) {
    if (!state.items.has(alert.item)) state.items.set(alert.item, null);
    try {
        const data = await get(`/api/v1/items/${encodeURIComponent(alert.item)}`);
        state.items.set(alert.item, data.item || data);
        draw();
    } catch (e) {
        if (e.status === undefined) throw e;
        if (e.status === 0 && !state.items.get(alert.item))
            state.items.delete(alert.item); /* asked again with the next list */
    }
}

function expired() {
    state.error = t("alerts_expired");
    fill(
        $("banners"),
        banner(
            "bad",
            "n-expired",
            el("span", null, t("alerts_expired")),
            el(
                "a",
                {
                    class: "button",
                    href: `/login?next=${encodeURIComponent(location.pathname + location.search)}`,
                },
                t("login_title"),
            ),
        ),
    );
}

/* ---- answers ------------------------------------------------------------------------------- */
async function acknowledge(id) {
    state.asking = null;
    waiting((all) => {
        all[id] = all[id] || { at: new Date(now()).toISOString() };
    });
    draw();
    await sendWaiting();
}

let sending = false;
async function sendWaiting() {
    if (sending) return;
    sending = true;
    for (const id of Object.keys(waiting())) {
        try {
            await post(`/api/v1/alerts/${encodeURIComponent(id)}/acknowledge`, { how: "web" });
            waiting((all) => {
                delete all[id];
            });
        } catch (e) {
            if (e.status === undefined) throw e;
            if (e.status === 401) expired();
            if (e.status !== 0 && e.status !== 401 && e.status < 500 && e.status !== 429) {
                waiting((all) => {
                    delete all[id];
                }); /* refused for good: say it, do not try for ever */
                toast(e.sentence, { bad: true, seconds: 15 });
            }
        }
    }
    sending = false;
    draw();
    await refresh();
}

async function answer(id, verb, body) {
    try {
        await post(`/api/v1/alerts/${encodeURIComponent(id)}/${verb}`, body);
        state.form = null;
        toast(t(`did_${verb}`));
    } catch (e) {
        if (e.status === undefined) throw e;
        toast(e.status === 0 ? t("not_sent") : e.sentence, { bad: true, seconds: 15 });
    }
    refresh();
}

/* ---- one card ------------------------------------------------------------------------------ */
function buttons(alert) {
    const id = alert.id;
    if (waiting()[id]) {
        return el(
            "div",
            { class: "state bad", role: "status" },
            el("strong", null, t("not_sent")),
            " ",
            t("not_sent_more"),
            el(
                "div",
                { class: "thumbs" },
                el("button", { type: "button", onclick: sendWaiting }, t("send_again")),
            ),
        );
    }
    if (stillToRead(alert)) {
        const dismiss = () => {
            understood((ids) => ids.push(alert.id));
            draw();
        };
        return el(
            "div",
            { class: "thumbs" },
            el(
                "button",
                { type: "button", dataset: { act: "ok" }, onclick: dismiss },
                t("understood"),
            ),
        );
    }
    if (!OPEN.includes(alert.state)) return null;
    if (!hasRole("clinician") && !hasRole("reader") && !hasRole("reporter"))
        return el("p", { class: "state" }, t("alerts_role"));
    if (state.asking === id) {
        return el(
            "div",
            { class: "confirm", role: "group", "aria-label": t("confirm_label") },
            el("p", null, t("confirm_text")),
            el(
                "div",
                { class: "thumbs" },
                el(
                    "button",
                    {
                        type: "button",
                        class: "primary",
                        dataset: { act: "confirm" },
                        onclick: () => acknowledge(id),
                    },
                    t("confirm_yes"),
                ),
                el(
                    "button",
                    {
                        type: "button",
                        onclick: () => {
                            state.asking = null;
                            draw();
                        },
                    },
                    t("cancel"),
                ),
            ),
        );
    }
    if (state.form && state.form.id === id) return state.form.node;
    return el(
        "div",
        { class: "thumbs" },
        el(
            "button",
            {
                type: "button",
                class: "primary",
                dataset: { act: "seen" },
                onclick: () => {
                    if (alert.level !== "critical") return acknowledge(id);
                    state.asking = id;
                    draw();
                    return undefined;
                },
            },
            t("seen"),
        ),
        el(
            "button",
            {
                type: "button",
                dataset: { act: "handover" },
                onclick: () => openForm(alert, "handover"),
            },
            t("handover"),
        ),
        el(
            "button",
            {
                type: "button",
                dataset: { act: "decline" },
                onclick: () => openForm(alert, "decline"),
            },
            t("decline"),
        ),
    );
}

function openForm(alert, verb) {
    const handover = verb === "handover";
    const input = el("input", {
        name: "value",
        required: true,
        maxlength: "300",
        autocomplete: "off",
        autocapitalize: handover ? "none" : null,
        list: handover ? "known" : null,
    });
    const known = [...new Set((alert.pages || []).map((p) => p.to).filter(Boolean))];
    const node = el(
        "form",
        { class: "inline", "aria-label": t(verb) },
        el("label", { class: "grow" }, t(handover ? "handover_to" : "f_reason"), input),
        handover
            ? el(
                  "datalist",
                  { id: "known" },
                  known.map((k) => el("option", { value: k })),
              )
            : null,
        el(
            "div",
            { class: "thumbs" },
            el("button", { type: "submit", class: "primary" }, t(verb)),
            el(
                "button",
                {
                    type: "button",
                    onclick: () => {
                        state.form = null;
                        draw();
                    },
                },
                t("cancel"),
            ),
        ),
    );
    node.addEventListener("submit", (e) => {
        e.preventDefault();
        answer(
            alert.id,
            verb,
            handover ? { to: input.value.trim() } : { reason: input.value.trim() },
        );
    });
    state.form = { id: alert.id, node };
    draw();
    input.focus();
}

function fillCard(node, alert) {
    const item = alert.patient ? { ...alert } : state.items.get(alert.item);
    const withdrawn = alert.state === "withdrawn";
    node.className = `card ${withdrawn ? "withdrawn" : atLevel(alert.level)}`;
    const patient = item && item.patient;
    const timer = el("span", { class: "timer num" });
    const ago = el("span", { class: "muted num" });
    node.tick = () => {
        const due = ms(alert.due);
        if (!OPEN.includes(alert.state)) say(timer, t(`page_${alert.state}`));
        else if (alert.state === "exhausted" || Number.isNaN(due))
            say(timer, t(`page_${alert.state}`));
        else
            say(
                timer,
                due > now()
                    ? t("escalates_in", { left: countdown(due - now()) })
                    : t("escalates_now"),
            );
        const first = ms((alert.pages && alert.pages[0] && alert.pages[0].at) || alert.at);
        say(ago, Number.isNaN(first) ? "" : t("ago", { span: span(now() - first) }));
    };
    const shown = state.full.has(alert.id);
    fill(
        node,
        el("div", { class: "line" }, levelBadge(alert.level), timer),
        el(
            "h2",
            null,
            withdrawn
                ? t("withdrawn", { what: conceptText(alert.concept) })
                : conceptText(alert.concept),
        ),
        el(
            "div",
            { class: "source small" },
            withdrawn ? t("withdrawn_note") : sourceText(alert, item),
        ),
        el(
            "div",
            { class: "line" },
            el(
                "span",
                null,
                patient
                    ? shown
                        ? patientText(patient)
                        : patientShort(patient)
                    : accessionText(alert.accession),
                item && item.location ? ` · ${item.location}` : "",
            ),
            ago,
        ),
        item
            ? el(
                  "div",
                  { class: "muted" },
                  [item.procedures ? procedureText(item) : "", accessionText(alert.accession)]
                      .filter(Boolean)
                      .join(" · "),
              )
            : null,
        shown && alert.text ? el("p", { class: "small" }, alert.text) : null,
        patient
            ? el(
                  "button",
                  {
                      type: "button",
                      class: "quiet small",
                      "aria-expanded": String(shown),
                      onclick: () => {
                          if (!state.full.delete(alert.id)) state.full.add(alert.id);
                          draw();
                      },
                  },
                  t(shown ? "patient_hide" : "patient_show"),
              )
            : null,
        pagesLine(alert),
        alert.handed_to && OPEN.includes(alert.state)
            ? el("p", { class: "small" }, t("handed_to", { to: alert.handed_to }))
            : null,
        withdrawn && alert.closed_reason ? el("p", { class: "small" }, alert.closed_reason) : null,
        ackLine(alert),
        buttons(alert),
    );
    node.tick();
}

/* ---- the page ------------------------------------------------------------------------------ */
function drawTabs() {
    const open = state.alerts.filter((a) => OPEN.includes(a.state)).length;
    const key = JSON.stringify([open, state.tab, t("tab_all")]);
    if ($("tabs").dataset.key === key) return;
    const active = $("tabs").contains(document.activeElement) ? document.activeElement.id : null;
    $("tabs").dataset.key = key;
    fill(
        $("tabs"),
        TABS.map((name) =>
            el(
                "button",
                {
                    type: "button",
                    role: "tab",
                    id: `tab-${name}`,
                    "aria-selected": String(name === state.tab),
                    "aria-controls": "cards",
                    tabindex: name === state.tab ? "0" : "-1",
                    onclick: () => choose(name),
                },
                t(`tab_${name}`),
                name === "open" && open ? el("span", { class: "num" }, `(${open})`) : null,
            ),
        ),
    );
    if (active) $(active).focus();
}

function choose(name) {
    state.tab = name;
    history.replaceState(null, "", name === "open" ? "/alerts" : `/alerts?tab=${name}`);
    drawTabs();
    $(`tab-${name}`).focus();
    draw();
    refresh();
}

function inTab(alert) {
    if (waiting()[alert.id]) return state.tab !== "acknowledged"; /* not sent yet: still open */
    if (state.tab === "all") return true;
    return state.tab === "open"
        ? OPEN.includes(alert.state) || stillToRead(alert)
        : !OPEN.includes(alert.state) && alert.state !== "withdrawn";
}

function draw() {
    const notes = [];
    if (state.live === "broken" || (state.error && state.loaded))
        notes.push(
            banner(
                "bad",
                "n-offline",
                state.live === "broken"
                    ? t("alerts_offline", { time: clock(state.lastAt || now()) })
                    : state.error,
            ),
        );
    if (!$("n-expired")) fill($("banners"), notes);
    const list = state.alerts.filter(inTab);
    if (state.tab === "open") list.sort(byUrgency);
    const keep =
        document.activeElement && $("cards").contains(document.activeElement)
            ? [
                  document.activeElement.closest("[data-alert]")?.dataset.alert,
                  document.activeElement.dataset.act,
              ]
            : null;
    const seen = new Set();
    const nodes = list.map((alert) => {
        let node = state.nodes.get(alert.id);
        if (!node)
            state.nodes.set(
                alert.id,
                (node = el("article", { dataset: { alert: String(alert.id) } })),
            );
        const json = JSON.stringify([
            alert,
            state.items.get(alert.item),
            state.asking === alert.id,
            state.form && state.form.id === alert.id,
            state.full.has(alert.id),
            Boolean(waiting()[alert.id]),
            stillToRead(alert),
            t("seen"),
        ]);
        if (node.json !== json) {
            fillCard(node, alert);
            node.json = json;
        }
        seen.add(alert.id);
        return node;
    });
    for (const id of state.nodes.keys()) if (!seen.has(id)) state.nodes.delete(id);
    const box = $("cards");
    if (!nodes.length) {
        fill(
            box,
            el(
                "div",
                { class: "empty" },
                state.loaded
                    ? [
                          el("strong", null, t(`alerts_none_${state.tab}`)),
                          t("list_updated", { time: clock(state.lastAt, true) }),
                      ]
                    : state.error
                      ? [el("strong", null, t("list_failed")), state.error]
                      : t("loading"),
            ),
        );
    } else {
        nodes.forEach((node, i) => {
            if (box.children[i] !== node) box.insertBefore(node, box.children[i] || null);
        });
        while (box.children.length > nodes.length) box.lastChild.remove();
    }
    if (keep && keep[0] && !box.contains(document.activeElement) && keep[1])
        box.querySelector(`[data-alert="${CSS.escape(keep[0])}"] [data-act="${keep[1]}"]`)?.focus();
    drawTabs();
}

function tick() {
    if (state.live !== "broken") drawLive(state.live, state.lastAt || now());
    for (const node of state.nodes.values()) if (node.tick) node.tick();
}

function redraw() {
    drawShell({ page: "alerts", session: currentSession(), live: true, afterwards: redraw });
    state.items.clear();
    state.form = null;
    drawTabs();
    draw();
    refresh();
}

async function start() {
    await loadLanguage();
    const session = await needSession();
    const tab = new URLSearchParams(location.search).get("tab");
    if (TABS.includes(tab)) state.tab = tab;
    drawShell({ page: "alerts", session, live: true, afterwards: redraw });
    drawTabs();
    await refresh();
    sendWaiting();
    let soon = 0;
    stream = new Stream(
        state.revision,
        (event) => {
            if (event.name !== "alert" && event.name !== "item" && event.name !== "open") return;
            clearTimeout(soon);
            soon = setTimeout(() => {
                for (const id of state.items.keys()) state.stale.add(id);
                refresh();
            }, 200);
        },
        (live) => {
            state.live = live;
            drawLive(live, state.lastAt || now());
            draw();
        },
        () => expired(),
    );
    addEventListener("online", sendWaiting);
    $("tabs").addEventListener("keydown", (e) => {
        const by = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
        if (by) choose(TABS[(TABS.indexOf(state.tab) + by + TABS.length) % TABS.length]);
    });
    setInterval(tick, 1000);
    setInterval(() => {
        if (Object.keys(waiting()).length) sendWaiting();
        else if (!stream.healthy) refresh();
    }, 5000);
    setInterval(refresh, 60000);
}

start().catch((e) => {
    fill($("banners"), banner("bad", "n-start", e.sentence || t("error_start")));
});
