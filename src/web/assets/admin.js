/* admin.js: health in sentences with what to do, open alarms, the queue with retry, the message
 * log with resend, the users. Every part stands alone: one that fails or is not allowed says so in
 * its own place. */
import { $, el, fill, toast } from "./dom.js";
import { currentSession, get, needSession, post } from "./api.js";
import { knows, loadLanguage, t } from "./i18n.js";
import { clock, dateTime, now, setServerNow, when } from "./time.js";
import { drawShell, readiness, reasonText } from "./shell.js";

const filters = { text: "", direction: "", bad: false };
let messages = [];

function table(keys, rows) {
    return el(
        "table",
        { class: "plain cardable" },
        el(
            "thead",
            null,
            el(
                "tr",
                null,
                keys.map((k) => el("th", { scope: "col" }, k ? t(k) : "")),
            ),
        ),
        el(
            "tbody",
            null,
            rows.map((cells) =>
                el(
                    "tr",
                    null,
                    cells.map((c, i) =>
                        el("td", { "data-label": keys[i] ? t(keys[i]) : null }, el("div", null, c)),
                    ),
                ),
            ),
        ),
    );
}

async function part(id, path, name, drawIt) {
    try {
        const data = await get(path);
        if (data.now) setServerNow(data.now);
        const list = data[name] || data.items || [];
        const key = JSON.stringify([list, t("retry")]);
        if ($(id).dataset.key === key) return; /* nothing new: nobody loses their place */
        drawIt(list);
        $(id).dataset.key = key;
    } catch (e) {
        if (e.status === undefined) throw e;
        delete $(id).dataset.key;
        fill(
            $(id),
            el(
                "p",
                { class: "muted" },
                e.status === 403
                    ? t("page_role", { role: t("role_admin") })
                    : e.status === 404
                      ? t("part_absent")
                      : e.sentence,
            ),
        );
    }
}

async function press(path, said) {
    try {
        await post(path, {});
        toast(t(said));
    } catch (e) {
        if (e.status === undefined) throw e;
        toast(e.sentence, { bad: true, seconds: 12 });
    }
    drawParts();
}

async function drawHealth() {
    const { ready, reasons } = await readiness();
    const lines = reasons.map((r) => {
        const ok = r.ok === true;
        return el(
            "li",
            null,
            el(
                "span",
                { class: ok ? "ok" : "bad" },
                ok ? `✓ ${t("health_ok")}` : `✕ ${t("health_bad")}`,
            ),
            el(
                "div",
                null,
                r.name ? el("strong", null, `${r.name}: `) : null,
                reasonText(r),
                r.todo || r.what_to_do
                    ? el(
                          "div",
                          { class: "muted" },
                          t("health_todo", { todo: r.todo || r.what_to_do }),
                      )
                    : null,
            ),
        );
    });
    const head =
        ready === null
            ? t("health_unreachable")
            : ready
              ? t("health_ready", { time: clock(now(), true) })
              : t("health_not_ready");
    fill(
        $("health"),
        el("p", { class: ready ? "" : "error", role: "status" }, head),
        lines.length ? el("ul", { class: "health" }, lines) : null,
    );
}

function drawAlarms(list) {
    const open = list.filter((a) => !a.until);
    fill(
        $("alarms"),
        open.length
            ? table(
                  ["a_since", "a_subject", "a_text", "a_count"],
                  open.map((a) => [
                      el("span", { class: "num" }, dateTime(a.since)),
                      [
                          el("strong", null, a.kind),
                          a.subject ? el("div", { class: "small muted" }, a.subject) : null,
                      ],
                      a.text || "",
                      el("span", { class: "num" }, a.count ?? ""),
                  ]),
              )
            : el("p", { class: "muted" }, t("alarms_none")),
    );
}

function drawQueue(list) {
    const left = list.filter((q) => q.state !== "done" && q.state !== "cancelled");
    fill(
        $("queue"),
        left.length
            ? table(
                  ["q_at", "q_to", "q_kind", "q_state", "q_attempts", "q_error", ""],
                  left.map((q) => [
                      el("span", { class: "num" }, when(q.at)),
                      q.destination,
                      knows(`outbox_${q.kind}`) ? t(`outbox_${q.kind}`) : q.kind,
                      el(
                          "span",
                          { class: q.state === "dead" ? "bad" : "" },
                          knows(`queue_${q.state}`) ? t(`queue_${q.state}`) : q.state,
                      ),
                      el("span", { class: "num" }, q.attempts ?? 0),
                      q.error || "",
                      q.state === "dead"
                          ? el(
                                "button",
                                {
                                    type: "button",
                                    onclick: () =>
                                        press(
                                            `/api/v1/queue/${encodeURIComponent(q.id)}/retry`,
                                            "did_retry",
                                        ),
                                },
                                t("retry"),
                            )
                          : null,
                  ]),
              )
            : el("p", { class: "muted" }, t("queue_none")),
    );
}

function drawMessages() {
    const text = filters.text.toLowerCase();
    const list = messages.filter(
        (m) =>
            (!filters.direction || m.direction === filters.direction) &&
            (!filters.bad || /^.[ER]$/.test(m.answer || "") || m.reason) &&
            (!text ||
                [m.peer, m.type, m.control_id, m.answer, m.reason]
                    .join(" ")
                    .toLowerCase()
                    .includes(text)),
    );
    fill(
        $("messages"),
        list.length
            ? table(
                  [
                      "g_at",
                      "g_direction",
                      "g_peer",
                      "g_type",
                      "g_control",
                      "g_answer",
                      "g_reason",
                      "",
                  ],
                  list.map((m) => [
                      el("span", { class: "num" }, when(m.at)),
                      t(m.direction === "out" ? "g_out" : "g_in"),
                      m.peer,
                      m.type,
                      m.control_id,
                      el(
                          "span",
                          { class: /^.[ER]$/.test(m.answer || "") ? "bad" : "" },
                          m.answer || "–",
                      ),
                      m.reason || "",
                      m.direction === "out"
                          ? el(
                                "button",
                                {
                                    type: "button",
                                    onclick: () =>
                                        press(
                                            `/api/v1/messages/${encodeURIComponent(m.id)}/resend`,
                                            "did_resend",
                                        ),
                                },
                                t("resend"),
                            )
                          : null,
                  ]),
              )
            : el(
                  "p",
                  { class: "muted" },
                  messages.length ? t("messages_filtered") : t("messages_none"),
              ),
    );
}

function drawMessageFilters() {
    const direction = el(
        "select",
        {
            "aria-label": t("g_direction"),
            onchange: (e) => {
                filters.direction = e.target.value;
                drawMessages();
            },
        },
        el("option", { value: "" }, t("g_both")),
        el("option", { value: "in" }, t("g_in")),
        el("option", { value: "out" }, t("g_out")),
    );
    direction.value = filters.direction;
    const bad = el(
        "button",
        {
            type: "button",
            "aria-pressed": String(filters.bad),
            onclick: () => {
                filters.bad = !filters.bad;
                bad.setAttribute("aria-pressed", String(filters.bad));
                drawMessages();
            },
        },
        t("g_bad"),
    );
    fill(
        $("message-filters"),
        el("input", {
            type: "search",
            id: "message-search",
            placeholder: t("g_search"),
            "aria-label": t("g_search"),
            value: filters.text,
            oninput: (e) => {
                filters.text = e.target.value;
                drawMessages();
            },
        }),
        direction,
        bad,
    );
}

function drawUsers(list) {
    fill(
        $("users"),
        list.length
            ? table(
                  ["u_name", "u_roles", "u_created", "u_state"],
                  list.map((u) => [
                      u.name,
                      (u.roles || [])
                          .map((r) => (knows(`role_${r}`) ? t(`role_${r}`) : r))
                          .join(", "),
                      u.created ? dateTime(u.created) : "–",
                      t(u.disabled ? "u_disabled" : "u_active"),
                  ]),
              )
            : el("p", { class: "muted" }, t("users_none")),
    );
}

async function drawParts() {
    await part(
        "alarms",
        "/api/v1/alarms",
        "alarms",
        drawAlarms,
    ); /* first: it brings the server's clock */
    drawHealth();
    part("queue", "/api/v1/queue", "queue", drawQueue);
    part("messages", "/api/v1/messages?limit=100", "messages", (list) => {
        messages = list;
        drawMessages();
    });
    part("users", "/api/v1/users", "users", drawUsers);
}

function draw() {
    drawShell({ page: "admin", session: currentSession(), afterwards: draw });
    drawMessageFilters();
    drawParts();
}

async function start() {
    await loadLanguage();
    await needSession();
    draw();
    setInterval(drawParts, 15000);
}

start();
