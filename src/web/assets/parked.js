/* parked.js: what fits nobody: results and messages that wait for a person, below the list.
 * Assigning and discarding need a reason. Its full form (side by side with the candidate order)
 * comes later. */
import { $, el, fill, toast } from "./dom.js";
import { get, hasRole, post } from "./api.js";
import { t, tn } from "./i18n.js";
import { dateTime, span, ms, now } from "./time.js";
import { accessionText, aiText, atLevel, levelBadge, patientText, procedureText } from "./words.js";

let json = "";

async function send(entry, verb, body, form, refresh, state) {
    try {
        const answer = await post(`/api/v1/parked/${encodeURIComponent(entry.id)}/${verb}`, body);
        toast(t(`did_${verb}`));
        json = "";
        fill(form);
        refresh(answer.revision);
        drawParked(refresh, state);
    } catch (e) {
        if (e.status === undefined) throw e;
        toast(e.sentence, { bad: true, seconds: 12 });
    }
}

function card(entry, refresh, state) {
    const form = el("div");
    const open = (title, verb, field) => {
        const reason = el("input", {
            name: "reason",
            required: true,
            maxlength: "500",
            autocomplete: "off",
        });
        const node = el(
            "form",
            { class: "inline", "aria-label": title },
            field ? el("label", { class: "grow" }, t("parked_to"), field) : null,
            el("label", { class: "grow" }, t("f_reason"), reason),
            el("button", { type: "submit", class: "primary" }, title),
            el("button", { type: "button", onclick: () => fill(form) }, t("cancel")),
        );
        node.addEventListener("submit", (e) => {
            e.preventDefault();
            const body = { reason: reason.value.trim() };
            if (field) body.item = Number(field.value) || field.value;
            send(entry, verb, body, form, refresh, state);
        });
        fill(form, node);
        (field || reason).focus();
    };
    const choices = () =>
        el(
            "select",
            { name: "item", required: true },
            el("option", { value: "" }, t("parked_choose")),
            state.items
                .filter((i) => i.status !== "unmatched")
                .map((i) =>
                    el(
                        "option",
                        { value: String(i.id) },
                        [accessionText(i.accession), patientText(i.patient), procedureText(i)]
                            .filter(Boolean)
                            .join(" · "),
                    ),
                ),
        );
    const allowed = hasRole("reader") || hasRole("reporter");
    return el(
        "li",
        { class: `card ${atLevel(entry.level)}`, dataset: { parked: String(entry.id) } },
        el(
            "div",
            { class: "split" },
            entry.level ? levelBadge(entry.level) : null,
            el("strong", null, patientText(entry.patient)),
            el(
                "span",
                { class: "muted" },
                [accessionText(entry.accession), entry.model].filter(Boolean).join(" · "),
            ),
            el(
                "span",
                { class: "muted num", title: dateTime(entry.at) },
                t("ago", { span: span(now() - ms(entry.at)) }),
            ),
        ),
        el("p", null, entry.why_text || entry.why),
        entry.state
            ? el(
                  "p",
                  { class: "small" },
                  aiText({ state: entry.state, findings: entry.findings || [] }),
              )
            : null,
        el(
            "div",
            { class: "acts" },
            el(
                "button",
                {
                    type: "button",
                    disabled: !allowed,
                    onclick: () => open(t("parked_assign"), "assign", choices()),
                },
                t("parked_assign"),
            ),
            el(
                "button",
                {
                    type: "button",
                    disabled: !allowed,
                    onclick: () => open(t("parked_discard"), "discard", null),
                },
                t("parked_discard"),
            ),
        ),
        form,
    );
}

/** state: {items} of the worklist page. Redraws only on change, and not while somebody is typing in it. */
export async function drawParked(refresh, state) {
    const box = $("parked");
    let data;
    try {
        data = await get("/api/v1/parked");
    } catch (e) {
        if (e.status === undefined) throw e;
        if (e.status !== 403) fill(box, el("p", { class: "muted" }, t("parked_failed")));
        return;
    }
    const list = data.parked || [];
    const key = JSON.stringify([list, t("parked_assign")]);
    if (key === json || box.querySelector("form")) return;
    json = key;
    if (!list.length) return fill(box);
    const wasOpen = box.querySelector("details") ? box.querySelector("details").open : true;
    const details = el(
        "details",
        { open: wasOpen },
        el("summary", null, tn("parked_title", list.length)),
        el("p", { class: "small muted" }, t("parked_note")),
        el(
            "ul",
            null,
            list.map((entry) => card(entry, refresh, state)),
        ),
    );
    return fill(box, details);
}
