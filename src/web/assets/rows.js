/* rows.js: one row of the reporting worklist: nine cells that are filled again when the item
 * changes, and the three clocks in it. Does not know the order of rows, the filters or the
 * keyboard. */
import { el, fill, say } from "./dom.js";
import { t } from "./i18n.js";
import { ms, now, span, when } from "./time.js";
import {
    aiChip,
    aiSorted,
    atLevel,
    levelBadge,
    patientLines,
    patientText,
    placeText,
    priorityText,
    procedureText,
    statusText,
} from "./words.js";

const COLUMNS = ["prio", "reason", "patient", "study", "ai", "order", "left", "wait", "status"];

function reasonCell(item) {
    const reasons = item.reasons || [];
    const rest = reasons.length - 1;
    const text = reasons.length ? reasons[0].text : t("reason_none");
    return [
        el(
            "div",
            { class: "why-here" },
            el("span", { class: "two", title: text }, text),
            rest > 0 ? el("span", { class: "tag" }, t("and_more", { n: rest })) : null,
        ),
        item.contradiction ? el("span", { class: "tag" }, t("contradiction")) : null,
    ];
}

function aiCell(item, ticks) {
    const all = aiSorted(item.ai);
    if (!all.length) return [el("span", { class: "muted" }, t("ai_none"))];
    /* The most urgent in words; what is still on its way as a second line; the rest counted. */
    const shown = [all[0]];
    const waiting = all.find(
        (a) =>
            a !== all[0] && (a.state === "pending" || a.state === "late" || a.state === "failed"),
    );
    if (waiting) shown.push(waiting);
    const rest = all.length - shown.length;
    return shown.map((a, i) => {
        const chip = aiChip(
            a,
            rest > 0 && i === shown.length - 1 ? t("and_more", { n: rest }) : "",
        );
        if (chip.tick) ticks.push(chip.tick);
        return chip;
    });
}

function statusCell(item, me) {
    const reader = item.reader && (item.reader.name || item.reader.user || item.reader);
    const draft = item.draft ? el("span", { class: "tag" }, t("draft_ready")) : null;
    const alert =
        item.alert && item.alert.state
            ? el(
                  "span",
                  { class: "second" },
                  t("alert_is", { state: t(`page_${item.alert.state}`) }),
              )
            : null;
    let text = statusText(item.status);
    if (reader) text = reader === me ? t("with_me") : t("with_reader", { reader });
    return [el("div", null, text), draft, alert];
}

function dueText(item) {
    const due = ms(item.due);
    if (Number.isNaN(due)) return { text: "–", late: false };
    const left = due - now();
    return left >= 0
        ? { text: span(left), late: false }
        : { text: t("overdue", { span: span(-left) }), late: true };
}

export class Row {
    /** onToggle(row) is called for the arrow and for a click on the row. */
    constructor(item, me, onToggle) {
        this.id = item.id;
        this.me = me;
        this.toggle = el("button", {
            type: "button",
            class: "toggle",
            tabindex: "-1",
            "aria-expanded": "false",
            onclick: (e) => {
                e.stopPropagation();
                onToggle(this);
            },
        });
        this.cells = {};
        this.tr = el(
            "tr",
            { class: "item", role: "row", tabindex: "-1", dataset: { id: String(item.id) } },
            COLUMNS.map(
                (name) => (this.cells[name] = el("td", { role: "cell", class: `c-${name}` })),
            ),
        );
        this.tr.addEventListener("click", (e) => {
            if (!e.target.closest("a, button, input, select, textarea") && !String(getSelection()))
                onToggle(this);
        });
        this.left = el("span", { class: "num" });
        this.wait = el("span", { class: "num" });
        fill(this.cells.left, this.left);
        fill(this.cells.wait, this.wait);
        this.json = "";
        this.update(item);
    }

    label() {
        for (const name of COLUMNS) this.cells[name].dataset.label = t(`col_${name}`);
        this.json = "";
    }

    update(item) {
        const json = JSON.stringify(item);
        if (json === this.json) return false;
        this.item = item;
        this.ticks = [];
        if (!this.json)
            for (const name of COLUMNS) this.cells[name].dataset.label = t(`col_${name}`);
        this.json = json;
        const open = this.tr.classList.contains("open");
        this.tr.className = `item ${atLevel(item.level)}${open ? " open" : ""}`;
        this.toggle.setAttribute(
            "aria-label",
            t("details_of", { what: patientText(item.patient) }),
        );
        fill(this.cells.prio, el("span", { class: "prio" }, this.toggle, levelBadge(item.level)));
        fill(this.cells.reason, el("div", null, reasonCell(item)));
        const [name, rest] = patientLines(item.patient);
        fill(
            this.cells.patient,
            el(
                "div",
                null,
                el("span", { class: "two" }, name),
                el("span", { class: "second" }, rest),
            ),
        );
        fill(this.cells.study, el("span", { class: "two" }, procedureText(item)));
        fill(this.cells.ai, el("div", null, aiCell(item, this.ticks)));
        fill(
            this.cells.order,
            el(
                "div",
                null,
                el("span", { class: "two" }, placeText(item) || "–"),
                el("span", { class: "second" }, priorityText(item.order_priority)),
            ),
        );
        fill(this.cells.status, el("div", null, statusCell(item, this.me)));
        this.tick();
        return true;
    }

    tick() {
        const due = dueText(this.item);
        say(this.left, due.text);
        this.left.classList.toggle("late", due.late);
        const arrived = ms(this.item.arrived);
        say(this.wait, Number.isNaN(arrived) ? "–" : span(now() - arrived));
        if (!this.wait.title && this.item.arrived) this.wait.title = when(this.item.arrived);
        for (const tick of this.ticks) tick();
    }

    gone() {
        this.tr.classList.add("gone");
        fill(this.cells.status, el("div", null, t("row_gone")));
        this.json = "gone";
    }
}
