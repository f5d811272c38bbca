/* dom.js: builds elements. Data becomes text nodes and nothing else: there is no path from a
 * string of the hospital's to markup (the page's policy forbids it too). */

/** @param {string} tag @param {Object|null} props class, dataset, on…, or attributes; null/false = absent */
export function el(tag, props, ...kids) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(props || {})) {
        if (value === null || value === undefined || value === false) continue;
        if (key === "class") node.className = value;
        else if (key === "dataset") Object.assign(node.dataset, value);
        else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
        else if (key === "value") node.value = value;
        else if (key === "disabled") node.disabled = true;
        else node.setAttribute(key, value === true ? "" : String(value));
    }
    add(node, kids);
    return node;
}

function add(node, kids) {
    for (const kid of kids.flat(Infinity)) {
        if (kid === null || kid === undefined || kid === false || kid === "") continue;
        node.append(kid instanceof Node ? kid : document.createTextNode(String(kid)));
    }
}

/** Replaces everything inside node. */
export function fill(node, ...kids) {
    node.replaceChildren();
    add(node, kids);
    return node;
}

export const $ = (id) => document.getElementById(id);

/** Sets text only when it differs, so that a clock does not repaint what stands still. */
export function say(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

/** A link of the configuration is followed only when it cannot carry script. */
export function safeUrl(url) {
    return typeof url === "string" && /^(https?:\/\/|weasis:\/\/|\/(?!\/))/i.test(url) ? url : null;
}

let toastCount = 0;
/** A short notice. Returns a function that removes it. `seconds` 0 = until closed. */
export function toast(text, { bad = false, seconds = 6, action = null } = {}) {
    const box = $("toasts");
    if (!box) return () => {};
    const line = el("span", null, text);
    const node = el(
        "div",
        { class: bad ? "toast bad" : "toast", dataset: { n: String(++toastCount) } },
        line,
        action,
    );
    box.append(node);
    const away = () => node.remove();
    if (seconds) setTimeout(away, seconds * 1000);
    else
        node.append(
            el("button", { type: "button", class: "quiet", "aria-label": "×", onclick: away }, "×"),
        );
    away.say = (s) => say(line, s);
    return away;
}
