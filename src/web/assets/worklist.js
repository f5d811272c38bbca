/* worklist.js: the reporting worklist page: fetches the list (ETag), keeps rows in rank order,
 * holds the order still while somebody is in it, filters, keyboard. Row contents are rows.js, an
 * opened row is details.js, what fits nobody is parked.js. The server's rank is never changed
 * here. */
import { $, el, fill, toast } from "./dom.js";
import { currentSession, needSession, request } from "./api.js";
import { loadLanguage, t, tn } from "./i18n.js";
import { clock, now, setServerNow, whole } from "./time.js";
import { Stream } from "./stream.js";
import { banner, drawLive, drawShell, loggedOut, readiness, reasonText } from "./shell.js";
import { Row } from "./rows.js";
import { Details } from "./details.js";
import { difference, passes, readFilters, writeFilters } from "./order.js";
import { drawFilterBar } from "./filters.js";
import { drawParked } from "./parked.js";
import { openHelp, shortcutsOn } from "./help.js";
import { undoLast } from "./draft.js";

const STEP = 200; /* rows asked for at a time */
const IDLE_MS = 60000; /* nobody there: a held order is let go */
const THAW_MS = 120000; /* a frozen order thaws by itself */

const state = {
    items: [],
    rows: new Map(),
    shown: [],
    filters: readFilters(location.search),
    etag: null,
    revision: 0,
    limit: STEP,
    more: false,
    complete: true,
    observe: [],
    ready: { ready: null, reasons: [] },
    open: null,
    frozen: 0,
    focus: null,
    loaded: false,
    error: "",
    touched: performance.now(),
    live: "delayed",
    lastAt: 0,
    me: "",
};
let stream = null;

/* ---- fetching ------------------------------------------------------------------------------ */
let running = null;
let again = 0;

/** at_least: a revision that the answer must contain. Calls join: one request at a time. */
export function refresh(atLeast = 0) {
    again = Math.max(again, atLeast || 0.5);
    if (!running)
        running = (async () => {
            while (again) {
                const wanted = again >= 1 ? again : 0;
                again = 0;
                await fetchList(wanted);
            }
            running = null;
        })();
    return running;
}

async function fetchList(atLeast) {
    const q = new URLSearchParams({ limit: String(state.limit) });
    if (state.filters.status) q.set("status", state.filters.status);
    if (atLeast) q.set("at_least", String(atLeast));
    try {
        const answer = await request("GET", `/api/v1/worklist?${q}`, { etag: state.etag });
        state.error = "";
        if (stream) stream.contact();
        state.lastAt = now();
        if (answer.status === 304) return drawNotes();
        state.etag = answer.etag;
        receive(answer.data);
    } catch (e) {
        if (e.status === 401) return loggedOut();
        if (e.status === undefined) throw e;
        state.error = e.sentence;
        drawNotes();
    }
    return undefined;
}

function receive(data) {
    setServerNow(data.now);
    state.lastAt = now();
    state.revision = data.revision;
    state.complete = data.complete !== false;
    state.observe = data.observe || state.observe;
    state.more = Boolean(data.next);
    state.items = data.items || [];
    state.loaded = true;
    draw(false);
    drawFilters();
    if (state.open) {
        const item = state.items.find((i) => i.id === state.open.id);
        if (item) state.open.update(item);
    }
}

/* ---- order: held still while somebody is in the list --------------------------------------- */
function holding() {
    if (state.frozen || state.open) return true;
    if (performance.now() - state.touched > IDLE_MS) return false;
    const rows = $("rows");
    return rows.contains(document.activeElement) || rows.matches(":hover");
}

const visible = () => state.items.filter((item) => passes(item, state.filters, state.me));

function draw(force) {
    const items = visible();
    const byId = new Map(state.items.map((i) => [i.id, i]));
    for (const id of state.shown) {
        const item = byId.get(id);
        if (item) state.rows.get(id).update(item);
    }
    const change = difference(state.shown, items);
    if (!force && holding()) {
        for (const id of change.gone) if (!byId.has(id)) state.rows.get(id).gone();
        drawFresh(change);
    } else {
        place(items);
        drawFresh(null);
    }
    drawNotes();
}

/** Puts the rows in order and keeps the focused row where the eye is. */
function place(items) {
    const body = $("rows");
    const active = document.activeElement;
    const anchor =
        active && body.contains(active) ? active.closest("tr") : state.open ? state.open.tr : null;
    const before = anchor ? anchor.getBoundingClientRect().top : 0;
    const first = state.shown.length === 0;
    const nodes = [];
    const keep = new Set();
    for (const item of items) {
        let row = state.rows.get(item.id);
        if (!row) {
            row = new Row(item, state.me, toggleRow);
            state.rows.set(item.id, row);
            if (!first) {
                row.tr.classList.add("fresh");
                setTimeout(() => row.tr.classList.remove("fresh"), 8000);
            }
        } else row.update(item);
        keep.add(item.id);
        nodes.push(row.tr);
        if (state.open && state.open.id === item.id) nodes.push(state.open.tr);
    }
    if (state.open && !keep.has(state.open.id)) closeDetails(false);
    let at = body.firstChild;
    for (const node of nodes) {
        if (node === at) at = at.nextSibling;
        else body.insertBefore(node, at);
    }
    while (at) {
        const next = at.nextSibling;
        at.remove();
        at = next;
    }
    for (const id of state.rows.keys()) if (!keep.has(id)) state.rows.delete(id);
    state.shown = items.map((i) => i.id);
    roving();
    if (anchor && anchor.isConnected) {
        if (active !== document.activeElement) active.focus({ preventScroll: true });
        scrollBy(0, anchor.getBoundingClientRect().top - before);
    }
}

function drawFresh(change) {
    const box = $("fresh");
    if (!change || !(change.added || change.gone.length || change.moved)) {
        fill(box);
        return;
    }
    const words = [];
    if (change.added) words.push(tn("fresh_new", change.added));
    if (change.critical) words.push(tn("fresh_critical", change.critical));
    if (change.gone.length) words.push(tn("fresh_gone", change.gone.length));
    if (change.moved) words.push(t("fresh_moved"));
    const text = words.join(" · ");
    if (box.firstChild && box.dataset.text === text) return;
    box.dataset.text = text;
    fill(
        box,
        banner(
            change.critical ? "bad" : "",
            "fresh-banner",
            el("span", null, text),
            el(
                "button",
                {
                    type: "button",
                    id: "show",
                    onclick: () => {
                        draw(true);
                        focusRow(state.focus, true);
                    },
                },
                t("fresh_show"),
            ),
        ),
    );
}

function freeze(on) {
    state.frozen = on ? performance.now() : 0;
    drawFilters();
    if (!on) draw(true);
}

/* ---- notes round the list ------------------------------------------------------------------ */
function drawNotes() {
    const notes = [];
    if (state.live === "broken")
        notes.push(["warn", "n-broken", t("note_broken", { time: clock(state.lastAt || now()) })]);
    if (state.error && state.live !== "broken") notes.push(["warn", "n-error", state.error]);
    if (!state.complete) notes.push(["warn", "n-incomplete", t("note_incomplete")]);
    if (state.observe.length)
        notes.push(["warn", "n-observe", t("note_observe", { names: state.observe.join(", ") })]);
    for (const r of state.ready.reasons || [])
        if (r.name === "paused" && reasonText(r)) notes.push(["warn", "n-paused", reasonText(r)]);
    if (state.ready.ready === false) {
        const why = state.ready.reasons
            .filter((r) => r.ok !== true)
            .map(reasonText)
            .filter(Boolean)
            .join(" · ");
        if (why) notes.push(["bad", "n-ready", t("note_not_ready", { why })]);
    }
    if (state.frozen) notes.push(["", "n-frozen", t("note_frozen")]);
    const key = JSON.stringify(notes);
    if ($("banners").dataset.key !== key) {
        $("banners").dataset.key = key;
        fill(
            $("banners"),
            notes.map(([kind, id, text]) => banner(kind, id, text)),
        );
    }
    drawAfter();
}

function drawAfter() {
    const hidden = state.items.length - visible().length;
    const parts = [];
    if (!state.loaded)
        parts.push(
            el(
                "div",
                { class: "empty" },
                state.error ? el("strong", null, t("list_failed")) : t("loading"),
                state.error,
            ),
        );
    else if (!state.shown.length && !hidden) {
        parts.push(
            el(
                "div",
                { class: "empty" },
                el("strong", null, t("list_empty")),
                t("list_updated", { time: clock(state.lastAt, true) }),
            ),
        );
    }
    if (hidden) {
        parts.push(
            el(
                "div",
                { class: "hidden-note" },
                `${tn("hidden", hidden)} `,
                el(
                    "button",
                    { type: "button", id: "clear", onclick: clearFilters },
                    t("filters_clear"),
                ),
            ),
        );
    }
    if (state.more) {
        parts.push(
            el(
                "div",
                { class: "hidden-note" },
                `${t("list_more", { n: whole(state.items.length) })} `,
                el(
                    "button",
                    {
                        type: "button",
                        id: "more",
                        onclick: () => {
                            state.limit += STEP;
                            state.etag = null;
                            refresh();
                        },
                    },
                    t("list_more_go"),
                ),
            ),
        );
    }
    fill($("after"), parts);
    fill($("count"), state.loaded ? tn("count", state.shown.length) : "");
}

/* ---- filters ------------------------------------------------------------------------------- */
function setFilters(change) {
    const status = state.filters.status;
    state.filters = { ...state.filters, ...change };
    history.replaceState(null, "", location.pathname + writeFilters(state.filters));
    drawFilters();
    if (status !== state.filters.status) {
        state.etag = null;
        refresh();
    } else draw(true);
}

function clearFilters() {
    $("search").value = "";
    setFilters({ text: "", modality: "", location: "", flags: [] });
}

function drawFilters() {
    drawFilterBar($("filters"), state, setFilters);
    const key = JSON.stringify([Boolean(state.frozen), t("freeze")]);
    if ($("tools").dataset.key === key) return;
    const active = $("tools").contains(document.activeElement) ? document.activeElement.id : null;
    $("tools").dataset.key = key;
    fill(
        $("tools"),
        el(
            "button",
            {
                type: "button",
                id: "freeze",
                "aria-pressed": String(Boolean(state.frozen)),
                onclick: () => freeze(!state.frozen),
            },
            t("freeze"),
        ),
        el(
            "button",
            { type: "button", id: "keys", onclick: openHelp, "aria-label": t("help_title") },
            "?",
        ),
    );
    if (active) $(active).focus();
}

/* ---- rows: focus, opening ------------------------------------------------------------------ */
function roving() {
    if (!state.shown.includes(state.focus)) state.focus = state.shown[0] ?? null;
    for (const [id, row] of state.rows) row.tr.tabIndex = id === state.focus ? 0 : -1;
}

function focusRow(id, scroll = true) {
    const row = state.rows.get(id);
    if (!row) return;
    state.focus = id;
    roving();
    row.tr.focus({ preventScroll: true });
    if (scroll) row.tr.scrollIntoView({ block: "nearest" });
}

function step(by) {
    const at = state.shown.indexOf(state.focus);
    const inList = $("rows").contains(document.activeElement);
    const to = inList ? Math.min(Math.max(at + by, 0), state.shown.length - 1) : Math.max(at, 0);
    focusRow(state.shown[to]);
}

function toggleRow(row) {
    if (state.open && state.open.id === row.id) return closeDetails(true);
    if (state.open && !closeDetails(false)) return undefined;
    focusRow(row.id, false);
    state.open = new Details(row, {
        me: state.me,
        refresh,
        close: () => closeDetails(true),
        find: (id) => state.items.find((i) => i.id === id),
    });
    row.tr.classList.add("open");
    row.toggle.setAttribute("aria-expanded", "true");
    row.toggle.setAttribute("aria-controls", state.open.tr.firstChild.id);
    row.tr.after(state.open.tr);
    return undefined;
}

/** False when the reader wants to keep an edited text. */
function closeDetails(focus) {
    const open = state.open;
    if (!open) return true;
    if (open.edited() && !confirm(t("leave_edited"))) return false;
    state.open = null;
    open.tr.remove();
    const row = state.rows.get(open.id);
    if (row) {
        row.tr.classList.remove("open");
        row.toggle.setAttribute("aria-expanded", "false");
        if (focus) focusRow(open.id);
    }
    draw(false);
    return true;
}

function openFocused() {
    const row = state.rows.get(state.focus);
    if (row && !(state.open && state.open.id === row.id)) toggleRow(row);
    return state.open && row && state.open.id === row.id ? state.open : null;
}

/** Next unread by rank that nobody has claimed. */
function nextUnread() {
    const from = $("rows").contains(document.activeElement)
        ? state.shown.indexOf(state.focus) + 1
        : 0;
    const order = [...state.shown.slice(from), ...state.shown.slice(0, from)];
    const id = order.find((i) => {
        const item = state.rows.get(i).item;
        return !item.reader && item.reading !== "dictated";
    });
    if (id === undefined) toast(t("no_next"));
    else if (closeDetails(false)) focusRow(id);
}

const KEYS = {
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    Enter: () => {
        const row = state.rows.get(state.focus);
        if (row) toggleRow(row);
    },
    ArrowRight: () => openFocused(),
    ArrowLeft: () => closeDetails(true),
    o: () => openFocused()?.act("opened"),
    l: () => openFocused()?.act("lock"),
    a: () => openFocused()?.act("agree"),
    d: () => openFocused()?.act("disagree"),
    r: () => openFocused()?.act("draft"),
    n: nextUnread,
    s: () => freeze(!state.frozen),
    f: () => $("f-finding").focus(),
    "/": () => $("search").focus(),
    z: () => undoLast(),
    "?": () => openHelp(),
};

function onKey(e) {
    state.touched = performance.now();
    if (e.key === "Escape" && state.open && !document.querySelector("dialog[open]"))
        return closeDetails(true);
    if (
        e.ctrlKey ||
        e.metaKey ||
        e.altKey ||
        e.isComposing ||
        document.querySelector("dialog[open]")
    )
        return undefined;
    const at = document.activeElement;
    const inList = $("rows").contains(at);
    if (at && at.closest("input, textarea, select")) return undefined;
    if (!inList && at !== document.body) return undefined;
    const plain = e.key.length === 1;
    if (plain && !shortcutsOn()) return undefined;
    if (!plain && at.tagName !== "TR" && at !== document.body)
        return undefined; /* Enter on a button presses it */
    if (e.key === "Enter" && at === document.body) return undefined;
    const action = Object.hasOwn(KEYS, e.key) ? KEYS[e.key] : null;
    if (!action || (e.repeat && e.key !== "j" && e.key !== "k" && !e.key.startsWith("Arrow")))
        return undefined;
    e.preventDefault();
    return action();
}

/* ---- life ---------------------------------------------------------------------------------- */
function tick() {
    if (state.live !== "broken") {
        drawLive(state.live, state.lastAt || now());
        for (const id of state.shown) state.rows.get(id).tick();
        if (state.open) state.open.tick();
    }
    if (state.frozen && performance.now() - state.frozen > THAW_MS) {
        freeze(false);
        toast(t("thawed"));
    }
    if ($("fresh").firstChild && !holding()) draw(false);
}

function redraw() {
    drawShell({ page: "worklist", session: currentSession(), live: true, afterwards: redraw });
    drawLive(state.live, state.lastAt || now());
    if (state.open) closeDetails(false);
    for (const row of state.rows.values()) {
        const item = row.item;
        row.label();
        row.update(item);
    }
    $("fresh").dataset.text = "";
    $("banners").dataset.key = "";
    state.etag = null; /* the reasons come in the other language */
    drawFilters();
    refresh();
    drawParked(refresh, state);
    checkReady();
}

async function checkReady() {
    state.ready = await readiness();
    state.observe = state.ready.data.observe || state.observe;
    drawNotes();
}

async function start() {
    await loadLanguage();
    const session = await needSession();
    state.me = session.user;
    state.observe = session.observe || [];
    drawShell({ page: "worklist", session, live: true, afterwards: redraw });
    drawFilters();
    drawNotes();
    await refresh();
    drawParked(refresh, state);
    checkReady();
    let soon = 0;
    let wanted = 0;
    stream = new Stream(
        state.revision,
        (event) => {
            wanted = Math.max(wanted, Number(event.id) || 0);
            if (soon) return;
            soon = setTimeout(() => {
                soon = 0;
                const at = wanted;
                wanted = 0;
                refresh(at);
                if (state.open) state.open.reload();
                drawParked(refresh, state);
            }, 200);
        },
        (live) => {
            state.live = live;
            drawLive(live, state.lastAt || now());
            drawNotes();
        },
        loggedOut,
    );
    document.addEventListener("keydown", onKey);
    for (const name of ["pointermove", "pointerdown", "wheel"])
        document.addEventListener(
            name,
            () => {
                state.touched = performance.now();
            },
            { passive: true },
        );
    $("rows").addEventListener("focusin", (e) => {
        const tr = e.target.closest("tr.item");
        if (tr) {
            state.focus = Number(tr.dataset.id) || tr.dataset.id;
            roving();
        }
    });
    addEventListener("beforeunload", (e) => {
        if (state.open && state.open.edited()) e.preventDefault();
    });
    setInterval(tick, 1000);
    setInterval(() => {
        if (!stream.healthy) refresh();
    }, 5000); /* the stream is down: ask, cheaply (ETag) */
    setInterval(() => refresh(), 60000);
    setInterval(checkReady, 30000);
}

start().catch((e) => fill($("banners"), banner("bad", "n-start", e.sentence || t("error_start"))));
