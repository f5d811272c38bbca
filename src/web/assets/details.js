/* details.js: an opened row: why it stands here, what every AI said, the order, the timeline, and
 * what the reader may do. What a reader is typing is never overwritten: the informing part is
 * drawn again on every change, the forms stay. Which action is refused is the server's; here it is
 * only explained beforehand. */
import { el, fill, safeUrl, toast } from "./dom.js";
import { get, hasRole, post } from "./api.js";
import { t } from "./i18n.js";
import { dateTime, ms, now, when } from "./time.js";
import {
    accessionText,
    aiChip,
    aiText,
    birthText,
    findingText,
    isPresent,
    levelBadge,
    levelNames,
    levelText,
    patientText,
    placeText,
    priorityText,
    probabilityText,
    procedureText,
    statusText,
} from "./words.js";
import { DraftBox } from "./draft.js";

/* When this reader opened the images of which item; survives a reload of the page, not the
 * browser. */
function openedAt(id, value) {
    try {
        if (value) sessionStorage.setItem(`spoed.opened.${id}`, String(value));
        return Number(sessionStorage.getItem(`spoed.opened.${id}`)) || 0;
    } catch (e) {
        return value || 0;
    }
}

const block = (title, ...kids) => el("section", { class: "block" }, el("h3", null, title), kids);

function fact(label, value) {
    return value ? [el("dt", null, label), el("dd", null, value)] : [];
}

/** Another order of the same study: by its number where the list has it. */
function linkedText(linked, find) {
    const other = typeof linked === "object" ? linked : find(linked);
    return other
        ? [accessionText(other.accession) || other.id, other.procedures ? procedureText(other) : ""]
              .filter(Boolean)
              .join(" ")
        : String(linked);
}

function reasonsBlock(item) {
    const list = (item.reasons || []).map((r) =>
        el(
            "li",
            null,
            r.text,
            r.rule ? el("div", { class: "rule" }, t("rule", { id: r.rule })) : null,
        ),
    );
    return block(
        t("d_reasons"),
        list.length ? el("ol", null, list) : el("p", { class: "muted" }, t("reason_none")),
    );
}

/* What a product sent beside its result: key images, a segmentation, a picture, a document. */
function companionLines(item, version) {
    return (item.results || [])
        .filter((r) => !r.superseded_by && r.name === version.name && r.version === version.version)
        .flatMap((r) => r.companions || [])
        .map((c) =>
            el(
                "div",
                { class: "small muted" },
                t(`companion_${c.kind}`),
                c.title ? `: ${c.title}` : "",
            ),
        );
}

function aiBlock(item, ticks) {
    const all = (item.ai || []).filter((a) => a.mode !== "shadow" || hasRole("manager"));
    return block(
        t("d_ai"),
        el("p", { class: "small muted" }, t("ai_caution")),
        all.length
            ? el(
                  "ul",
                  null,
                  all.map((a) => {
                      const chip = aiChip(a, a.mode === "shadow" ? t("mode_shadow") : "");
                      if (chip.tick) ticks.push(chip.tick);
                      const link = safeUrl(a.link);
                      const findings = (a.findings || []).map((f) =>
                          el(
                              "div",
                              { class: "small" },
                              findingText(f),
                              isPresent(f) ? "" : ` · ${t(`present_${f.present}`)}`,
                              f.site ? ` · ${f.site}` : "",
                              f.laterality ? ` · ${f.laterality}` : "",
                              probabilityText(f.probability)
                                  ? el(
                                        "span",
                                        { class: "muted num" },
                                        ` · ${probabilityText(f.probability)}`,
                                    )
                                  : null,
                          ),
                      );
                      return el(
                          "li",
                          null,
                          chip,
                          el(
                              "div",
                              { class: "small muted" },
                              [a.name || a.model, a.version].filter(Boolean).join(" "),
                          ),
                          a.state === "positive" ? findings : null,
                          (a.notes || []).map((n) => el("div", { class: "small muted" }, n)),
                          companionLines(item, a),
                          link
                              ? el(
                                    "a",
                                    {
                                        href: link,
                                        target: "_blank",
                                        rel: "noopener noreferrer",
                                        class: "small",
                                    },
                                    t("ai_link"),
                                )
                              : null,
                      );
                  }),
              )
            : el("p", { class: "muted" }, t("ai_none")),
    );
}

function orderBlock(item, find) {
    const p = item.patient || {};
    return block(
        t("d_order"),
        el(
            "dl",
            { class: "facts" },
            fact(t("f_patient"), patientText(item.patient)),
            fact(t("f_birth"), birthText(p.birth_date)),
            fact(
                t("f_ids"),
                (p.ids || [])
                    .map((i) => `${i.value}${i.authority ? ` (${i.authority})` : ""}`)
                    .join(", "),
            ),
            fact(t("f_study"), procedureText(item)),
            fact(t("f_accession"), accessionText(item.accession)),
            fact(t("f_placer"), accessionText(item.placer)),
            fact(t("f_location"), placeText(item)),
            fact(t("f_priority"), priorityText(item.order_priority)),
            fact(t("f_requester"), item.requester),
            fact(t("f_callback"), item.callback),
            fact(t("f_clinical"), item.clinical_info),
            fact(t("f_arrived"), item.arrived && dateTime(item.arrived)),
            fact(t("f_due"), item.due && dateTime(item.due)),
            fact(
                t("f_status"),
                [statusText(item.status), item.status_note].filter(Boolean).join(" · "),
            ),
            fact(t("f_linked"), (item.linked || []).map((l) => linkedText(l, find)).join(", ")),
        ),
    );
}

const timeText = (e) =>
    e.text || (e.reasons || []).map((r) => r.text).join(" ") || e.kind || e.trigger || "";

function timeBlock(entries) {
    if (!entries) return block(t("d_timeline"), el("p", { class: "muted" }, t("loading")));
    return block(
        t("d_timeline"),
        entries.length
            ? el(
                  "ol",
                  { class: "time" },
                  entries.map((e) =>
                      el(
                          "li",
                          null,
                          el("span", { class: "num muted", title: dateTime(e.at) }, when(e.at)),
                          el(
                              "span",
                              null,
                              e.level && levelNames.includes(e.level)
                                  ? [levelBadge(e.level), " "]
                                  : null,
                              timeText(e),
                              e.by ? el("span", { class: "muted" }, ` · ${e.by}`) : null,
                          ),
                      ),
                  ),
              )
            : el("p", { class: "muted" }, t("timeline_empty")),
    );
}

export class Details {
    /** hooks: {me, refresh(atLeast), close(), find(id)} */
    constructor(row, hooks) {
        this.id = row.id;
        this.item = row.item;
        this.hooks = hooks;
        this.full = null;
        this.entries = null;
        this.ticks = [];
        this.json = "";
        this.info = el("div", { class: "cols" });
        this.acts = el("div", { class: "acts" });
        this.form = el("div");
        this.draft = new DraftBox(this);
        this.tr = el(
            "tr",
            { class: "more", role: "row" },
            el(
                "td",
                {
                    role: "cell",
                    colspan: "9",
                    id: `more-${row.id}`,
                    "aria-label": t("details_of", { what: patientText(row.item.patient) }),
                },
                this.acts,
                this.form,
                this.draft.node,
                this.info,
            ),
        );
        this.update(row.item);
        this.reload();
    }

    get opened() {
        const mine = (Array.isArray(this.item.opened) ? this.item.opened : [])
            .filter((o) => o.by === this.hooks.me)
            .map((o) => ms(o.at));
        return Math.min(...mine, openedAt(this.id) || Infinity);
    }

    update(item) {
        const json = JSON.stringify(item);
        if (json === this.json) return;
        this.json = json;
        this.item = { ...this.full, ...item };
        this.draft.update(this.item); /* first: the buttons ask it whether there is one */
        this.drawInfo();
        this.drawActs();
    }

    async reload() {
        try {
            const [full, time] = await Promise.all([
                get(`/api/v1/items/${encodeURIComponent(this.id)}`),
                get(`/api/v1/items/${encodeURIComponent(this.id)}/timeline`),
            ]);
            this.full = full.item || full;
            this.entries = time.timeline || time.entries || time.events || [];
            this.item = { ...this.full, ...JSON.parse(this.json) };
            this.drawInfo();
            this.draft.update(this.item);
        } catch (e) {
            if (e.status === undefined) throw e;
            if (!this.entries) this.entries = [];
            this.drawInfo(e.sentence);
        }
    }

    drawInfo(error) {
        this.ticks = [];
        fill(
            this.info,
            el("div", null, reasonsBlock(this.item), aiBlock(this.item, this.ticks)),
            orderBlock(this.item, this.hooks.find),
            el(
                "div",
                null,
                error ? el("p", { class: "error", role: "status" }, error) : null,
                timeBlock(this.entries),
            ),
        );
    }

    tick() {
        for (const tick of this.ticks) tick();
        this.draft.tick();
    }

    edited() {
        return this.draft.edited();
    }

    button(id, key, text, run, { disabled = false, primary = false } = {}) {
        return el(
            "button",
            {
                type: "button",
                id: `act-${id}`,
                class: primary ? "primary" : "",
                disabled,
                onclick: run,
            },
            text,
            key ? el("kbd", { "aria-hidden": "true" }, key) : null,
        );
    }

    drawActs() {
        const item = this.item;
        const reader = hasRole("reader") || hasRole("reporter");
        const holder = item.reader && (item.reader.user || item.reader.name || item.reader);
        const mine = holder === this.hooks.me;
        const opened = this.opened !== Infinity;
        const active = this.acts.contains(document.activeElement)
            ? document.activeElement.id
            : null;
        fill(
            this.acts,
            this.button(
                "opened",
                "o",
                safeUrl(item.viewer) ? t("act_open") : t("act_opened"),
                () => this.act("opened"),
                { disabled: !reader, primary: !opened },
            ),
            this.button(
                "lock",
                "l",
                mine ? t("act_release") : t("act_claim"),
                () => this.act("lock"),
                { disabled: !reader || Boolean(holder && !mine) },
            ),
            this.button("agree", "a", t("act_agree"), () => this.act("agree"), {
                disabled: !reader || !opened,
            }),
            this.button("disagree", "d", t("act_disagree"), () => this.act("disagree"), {
                disabled: !reader || !opened,
            }),
            this.button("draft", "r", t("act_draft"), () => this.act("draft"), {
                disabled: !this.draft.offered,
            }),
            this.button("priority", "", t("act_priority"), () => this.priorityForm(), {
                disabled: !reader,
            }),
            item.ask_person
                ? this.button(
                      "confirm_patient",
                      "",
                      t("act_confirm_patient"),
                      () => this.reasonForm("confirm_patient"),
                      { disabled: !reader },
                  )
                : null,
            item.status === "cancelled_images_present"
                ? [
                      this.button(
                          "confirm_cancel",
                          "",
                          t("act_confirm_cancel"),
                          () => this.send("confirm_cancel", {}, t("did_confirm_cancel")),
                          { disabled: !reader },
                      ),
                      this.button("reopen", "", t("act_reopen"), () => this.reasonForm("reopen"), {
                          disabled: !reader,
                      }),
                  ]
                : null,
            ["preliminary", "final", "cancelled"].includes(item.status) ||
                item.report === "preliminary"
                ? this.button("reopen", "", t("act_reopen"), () => this.reasonForm("reopen"), {
                      disabled: !reader,
                  })
                : null,
            el("p", { class: "why small muted" }, this.why(reader, opened, holder, mine)),
        );
        if (active) this.acts.querySelector(`#${active}`)?.focus();
    }

    why(reader, opened, holder, mine) {
        const words = [];
        if (!reader) words.push(t("why_role"));
        else if (!opened) words.push(t("why_not_opened"));
        if (holder && !mine) words.push(t("why_held", { reader: holder }));
        if (!this.draft.offered)
            words.push(t("why_no_draft", { reason: this.item.no_draft || t("no_draft_unknown") }));
        if (this.item.status === "unmatched") words.push(t("why_unmatched"));
        return words.join(" ");
    }

    act(what) {
        const button = this.acts.querySelector(`#act-${what}`);
        if (!button || button.disabled) {
            toast(
                what === "draft" && !this.draft.offered
                    ? t("why_no_draft", { reason: this.item.no_draft || t("no_draft_unknown") })
                    : this.opened === Infinity
                      ? t("why_not_opened")
                      : t("not_now"),
            );
            return undefined;
        }
        if (what === "opened") return this.markOpened();
        if (what === "lock") {
            const mine = button.firstChild.textContent === t("act_release");
            return mine
                ? this.send("release", {}, t("did_release"))
                : this.send("claim", {}, t("did_claim"));
        }
        if (what === "agree") return this.send("verdict", { verdict: "agree" }, t("did_verdict"));
        if (what === "disagree") return this.disagreeForm();
        return this.draft.show();
    }

    async markOpened() {
        const url = safeUrl(this.item.viewer);
        if (url) open(url, "_blank", "noopener");
        const done = await this.send("opened", {}, "");
        if (done) {
            if (this.opened === Infinity) openedAt(this.id, now());
            this.drawActs();
            this.draft.tick();
        }
    }

    /** True when the server took it. */
    async send(verb, body, said) {
        try {
            const answer = await post(`/api/v1/items/${encodeURIComponent(this.id)}/${verb}`, body);
            if (said) toast(said);
            fill(this.form);
            this.hooks.refresh(answer.revision);
            this.reload();
            return true;
        } catch (e) {
            if (e.status === undefined) throw e;
            toast(
                e.status === 409 && e.problem.holder
                    ? t("why_held", { reader: e.problem.holder })
                    : e.sentence,
                { bad: true, seconds: 12 },
            );
            return false;
        }
    }

    openForm(title, fields, submit) {
        const form = el(
            "form",
            { class: "inline", "aria-label": title },
            fields,
            el("button", { type: "submit", class: "primary" }, title),
            el("button", { type: "button", onclick: () => fill(this.form) }, t("cancel")),
        );
        form.addEventListener("submit", (e) => {
            e.preventDefault();
            submit(new FormData(form));
        });
        fill(this.form, form);
        form.querySelector("select, input").focus();
    }

    priorityForm() {
        const choose = el(
            "select",
            { name: "level" },
            levelNames.map((l) => el("option", { value: l }, levelText(l))),
        );
        choose.value = this.item.level;
        this.openForm(
            t("act_priority"),
            [
                el("label", null, t("f_level"), choose),
                el(
                    "label",
                    { class: "grow" },
                    t("f_reason"),
                    el("input", {
                        name: "reason",
                        required: true,
                        maxlength: "500",
                        autocomplete: "off",
                    }),
                ),
            ],
            (data) =>
                this.send(
                    "priority",
                    { level: data.get("level"), reason: data.get("reason").trim() },
                    t("did_priority"),
                ),
        );
    }

    reasonForm(verb) {
        this.openForm(
            t(`act_${verb}`),
            [
                el(
                    "label",
                    { class: "grow" },
                    t("f_reason"),
                    el("input", {
                        name: "reason",
                        required: true,
                        maxlength: "500",
                        autocomplete: "off",
                    }),
                ),
            ],
            (data) => this.send(verb, { reason: data.get("reason").trim() }, t(`did_${verb}`)),
        );
    }

    disagreeForm() {
        const found = (this.item.ai || [])
            .filter((a) => a.mode !== "shadow")
            .flatMap((a) =>
                (a.findings || []).map((f) => [f.concept, `${findingText(f)} (${aiText(a)})`]),
            );
        const unique = [...new Map(found).entries()];
        const choose = el(
            "select",
            { name: "finding" },
            el("option", { value: "" }, t("finding_any")),
            unique.map(([v, text]) => el("option", { value: v }, text)),
        );
        this.openForm(
            t("act_disagree"),
            [
                el("label", null, t("f_finding"), choose),
                el(
                    "label",
                    { class: "grow" },
                    t("f_note"),
                    el("input", { name: "note", maxlength: "500", autocomplete: "off" }),
                ),
            ],
            (data) => {
                const body = { verdict: "disagree" };
                if (data.get("finding")) body.finding = data.get("finding");
                if (data.get("note").trim()) body.note = data.get("note").trim();
                this.send("verdict", body, t("did_verdict"));
            },
        );
    }
}
