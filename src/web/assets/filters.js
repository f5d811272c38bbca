/* filters.js: the bar of filters above the worklist. The filters themselves, and what passes them,
 * are order.js; this only draws them and reports a change. The search field is made once, so that
 * a live list never takes away what somebody is typing. */
import { $, el, fill } from "./dom.js";
import { t } from "./i18n.js";
import { FLAGS, passes } from "./order.js";
import { statusText } from "./words.js";

const STATUSES = ["ordered", "in_progress", "preliminary", "final", "cancelled", "unmatched"];

function choice(id, value, options, onchange) {
    const node = el(
        "select",
        { id, "aria-label": t(`filter_${id}`), onchange: (e) => onchange(e.target.value) },
        el("option", { value: "" }, t(`filter_${id}_all`)),
        options.map(([v, text]) => el("option", { value: v }, text)),
    );
    node.value = value;
    return node;
}

/** What occurs in the list, and what is chosen even when it does not occur now. */
function values(items, name, chosen) {
    const seen = new Set(items.map((i) => i[name]).filter(Boolean));
    if (chosen) seen.add(chosen);
    return [...seen].sort().map((v) => [v, v]);
}

let search = null;

function searchField(filters, change) {
    if (!search) {
        let wait = 0;
        search = el("input", { id: "search", type: "search", autocomplete: "off" });
        search.value = filters.text;
        search.addEventListener("input", () => {
            clearTimeout(wait);
            wait = setTimeout(() => change({ text: search.value.trim() }), 250);
        });
    }
    search.placeholder = t("search_hint");
    search.setAttribute("aria-label", t("search_hint"));
    return search;
}

function flagButton(name, n, filters, change) {
    const on = filters.flags.includes(name);
    const flags = on ? filters.flags.filter((x) => x !== name) : [...filters.flags, name];
    return el(
        "button",
        {
            type: "button",
            id: `f-${name}`,
            "aria-pressed": String(on),
            onclick: () => change({ flags }),
        },
        t(`filter_${name}`),
        el("span", { class: "num" }, `(${n})`),
    );
}

/** state: {filters, items, me}; change(part of the filters) is called when somebody chooses. */
export function drawFilterBar(box, { filters, items, me }, change) {
    const counts = FLAGS.map((name) => {
        const alone = { text: "", modality: "", location: "", flags: [name] };
        return items.filter((item) => passes(item, alone, me)).length;
    });
    const modalities = values(items, "modality", filters.modality);
    const locations = values(items, "location", filters.location);
    const key = JSON.stringify([filters, modalities, locations, counts, t("filters_clear")]);
    if (box.dataset.key === key) return;
    box.dataset.key = key;
    const active = box.contains(document.activeElement) ? document.activeElement.id : null;
    const field = searchField(filters, change);
    const rest = [
        FLAGS.map((name, i) => flagButton(name, counts[i], filters, change)),
        choice("modality", filters.modality, modalities, (v) => change({ modality: v })),
        choice("location", filters.location, locations, (v) => change({ location: v })),
        choice(
            "status",
            filters.status,
            STATUSES.map((v) => [v, statusText(v)]),
            (v) => change({ status: v }),
        ),
    ].flat();
    if (field.parentNode !== box) fill(box, field);
    while (box.lastChild !== field) box.lastChild.remove();
    box.append(...rest);
    if (active && active !== "search") $(active)?.focus({ preventScroll: true });
}
