/* help.js: the sheet of keys, and the switch that turns single-key shortcuts off (WCAG 2.1.4). */
import { $, el, fill } from "./dom.js";
import { t } from "./i18n.js";

const SHEET = [
    ["j ↓ · k ↑", "key_move"],
    ["Enter →", "key_enter"],
    ["Esc ←", "key_close"],
    ["n", "key_next"],
    ["o", "key_open"],
    ["l", "key_lock"],
    ["a", "key_agree"],
    ["d", "key_disagree"],
    ["r", "key_draft"],
    ["z", "key_undo"],
    ["s", "key_freeze"],
    ["f", "key_filter"],
    ["/", "key_search"],
    ["?", "key_help"],
];

export function shortcutsOn() {
    try {
        return localStorage.getItem("spoed.keys") !== "off";
    } catch (e) {
        return true;
    }
}

export function openHelp() {
    const box = $("help");
    const change = el("input", {
        type: "checkbox",
        id: "keys-on",
        onchange: (e) => {
            try {
                localStorage.setItem("spoed.keys", e.target.checked ? "on" : "off");
            } catch (x) {
                e.target.checked = true; /* cannot be kept, so it is not promised */
            }
        },
    });
    change.checked = shortcutsOn();
    fill(
        box,
        el("h2", { id: "help-title" }, t("help_title")),
        el(
            "dl",
            { class: "keys" },
            SHEET.map(([keys, what]) => [
                el("dt", null, el("kbd", null, keys)),
                el("dd", null, t(what)),
            ]),
        ),
        el("label", { class: "row" }, change, t("help_switch")),
        el("p", { class: "small muted" }, t("help_note")),
        el("button", { type: "button", class: "primary", onclick: () => box.close() }, t("close")),
    );
    box.showModal();
}
