/* draft.js: the normal report that is offered for acceptance. A person decides: accepting needs
 * the role, the images opened, a minimum time since, and the version that was read (If-Match). The
 * server holds to all four; this box says beforehand why the button is grey. For 10 s the
 * acceptance can be undone. */
import { el, fill, toast } from "./dom.js";
import { hasRole, post, request } from "./api.js";
import { t, tn } from "./i18n.js";
import { now } from "./time.js";

const DWELL_S = 15; /* the site's default; the draft names another where there is one */
const UNDO_S = 10;

let last = null; /* the acceptance that can still be undone */

export function undoLast() {
    if (last) last();
    else toast(t("undo_none"));
}

function offerUndo(id, refresh) {
    const until = performance.now() + UNDO_S * 1000;
    let away = null;
    const undo = async () => {
        if (last === undo) last = null;
        clearInterval(timer);
        away();
        try {
            const answer = await post(`/api/v1/items/${encodeURIComponent(id)}/draft/undo`, {});
            toast(t("did_undo"));
            refresh(answer.revision);
        } catch (e) {
            if (e.status === undefined) throw e;
            toast(e.sentence, { bad: true, seconds: 12 });
        }
    };
    const text = () =>
        t("did_accept", { s: Math.max(0, Math.ceil((until - performance.now()) / 1000)) });
    away = toast(text(), {
        seconds: UNDO_S,
        action: el(
            "button",
            { type: "button", id: "undo", onclick: undo },
            t("undo"),
            el("kbd", { "aria-hidden": "true" }, "z"),
        ),
    });
    last = undo;
    const timer = setInterval(() => {
        away.say(text());
        if (performance.now() >= until) {
            clearInterval(timer);
            if (last === undo) last = null;
        }
    }, 500);
}

export class DraftBox {
    constructor(details) {
        this.details = details;
        this.node = el("div");
        this.draft = null;
        this.etag = null;
        this.offered = null;
        this.stale = "";
    }

    update(item) {
        this.offered =
            item.draft && (item.draft.state === undefined || item.draft.state === "offered")
                ? item.draft
                : null;
        if (!this.draft) return;
        if (!this.offered) this.stale = t("draft_gone", { reason: item.no_draft || "" });
        else if (this.offered.version !== undefined && this.offered.version !== this.draft.version)
            this.stale = t("draft_changed");
        this.tick();
    }

    edited() {
        return Boolean(this.draft && this.area && this.area.value !== this.draft.text);
    }

    async show() {
        try {
            const answer = await request(
                "GET",
                `/api/v1/items/${encodeURIComponent(this.details.id)}/draft`,
            );
            this.draft = answer.data;
            this.etag = answer.etag || `"${answer.data.version}"`;
            this.stale = "";
            this.draw();
        } catch (e) {
            if (e.status === undefined) throw e;
            toast(e.sentence, { bad: true, seconds: 12 });
        }
    }

    hide() {
        this.draft = null;
        this.area = null;
        fill(this.node);
    }

    draw() {
        const d = this.draft;
        const names = (d.models || [])
            .map((m) =>
                typeof m === "string"
                    ? m
                    : [m.name || m.model, m.version].filter(Boolean).join(" "),
            )
            .join(", ");
        this.area = el("textarea", {
            id: "draft-text",
            lang: d.language || null,
            spellcheck: "true",
            "aria-describedby": "draft-from",
        });
        this.area.value = d.text;
        this.accept = el(
            "button",
            { type: "button", id: "draft-accept", class: "primary", onclick: () => this.send() },
            t("draft_accept"),
        );
        this.why = el("span", { id: "draft-why", class: "muted", role: "status" });
        this.reload = el(
            "button",
            { type: "button", id: "draft-reload", hidden: true, onclick: () => this.show() },
            t("draft_reload"),
        );
        fill(
            this.node,
            el(
                "section",
                { class: "draft", "aria-label": t("draft_title") },
                el("h2", null, t("draft_title")),
                el(
                    "p",
                    { class: "small muted", id: "draft-from" },
                    t("draft_from", { models: names || "–" }),
                ),
                (d.missing || []).length
                    ? el(
                          "p",
                          { class: "small" },
                          t("draft_missing", { what: d.missing.join(", ") }),
                      )
                    : null,
                this.area,
                el(
                    "div",
                    { class: "acts" },
                    this.accept,
                    el(
                        "button",
                        { type: "button", id: "draft-reject", onclick: () => this.rejectForm() },
                        t("draft_reject"),
                    ),
                    el("button", { type: "button", onclick: () => this.hide() }, t("close")),
                    this.reload,
                    this.why,
                ),
                el("p", { class: "small muted" }, t("draft_signing")),
            ),
        );
        this.tick();
        this.area.focus();
    }

    blocked() {
        if (this.stale) return this.stale;
        if (!hasRole("reporter")) return t("draft_needs_role");
        const opened = this.details.opened;
        if (opened === Infinity) return t("draft_needs_opened");
        const left = Math.ceil((opened + (this.draft.min_dwell ?? DWELL_S) * 1000 - now()) / 1000);
        return left > 0 ? tn("draft_needs_dwell", left) : "";
    }

    tick() {
        if (!this.draft) return;
        const why = this.blocked();
        this.accept.disabled = Boolean(why);
        if (this.why.textContent !== why) this.why.textContent = why;
        this.reload.hidden = !this.stale || !this.offered;
    }

    async send() {
        this.accept.disabled = true;
        const body = this.edited() ? { text: this.area.value } : {};
        try {
            const answer = await post(
                `/api/v1/items/${encodeURIComponent(this.details.id)}/draft/accept`,
                body,
                { ifMatch: this.etag },
            );
            this.hide();
            offerUndo(this.details.id, this.details.hooks.refresh);
            this.details.hooks.close();
            this.details.hooks.refresh(answer.revision);
        } catch (e) {
            if (e.status === undefined) throw e;
            if (e.status === 412) {
                this.stale = t("draft_412", { reason: e.message });
                this.details.hooks.refresh();
            } else toast(e.sentence, { bad: true, seconds: 12 });
            this.tick();
        }
    }

    rejectForm() {
        this.details.openForm(
            t("draft_reject"),
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
            async (data) => {
                if (
                    await this.details.send(
                        "draft/reject",
                        { reason: data.get("reason").trim() },
                        t("did_reject"),
                    )
                )
                    this.hide();
            },
        );
    }
}
