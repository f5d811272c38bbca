/* i18n.js: nl.json and en.json, flat keys, {name} placeholders, `_one`/`_other` for counts. Server
 * sentences come in the same language, since api.js asks for it in Accept-Language.
 * tests/e2e/pages/test_i18n.py holds both files and all uses together. */

let words = {};
let lang = "nl";
let plural = new Intl.PluralRules("nl");

export const language = () => lang;

export function chosenLanguage() {
    let wanted = null;
    try {
        wanted = localStorage.getItem("spoed.lang");
    } catch (e) {
        wanted = null;
    }
    if (wanted === "nl" || wanted === "en") return wanted;
    return (navigator.languages || [navigator.language]).some((l) => /^nl\b/i.test(l))
        ? "nl"
        : /^en\b/i.test(navigator.language || "")
          ? "en"
          : "nl";
}

export async function loadLanguage(which = chosenLanguage()) {
    const answer = await fetch(`/assets/${which}.json`);
    if (!answer.ok) throw new Error(`${which}.json: ${answer.status}`);
    words = await answer.json();
    lang = which;
    plural = new Intl.PluralRules(lang);
    document.documentElement.lang = lang;
}

export function setLanguage(which) {
    try {
        localStorage.setItem("spoed.lang", which);
    } catch (e) {
        /* not kept; the page still changes until it is left */
    }
    return loadLanguage(which);
}

export function t(key, params) {
    const text = words[key];
    if (text === undefined) return key;
    return text.replace(/\{(\w+)\}/g, (whole, name) =>
        params && name in params ? String(params[name]) : whole,
    );
}

/** Whether a word is known: for values that a policy or code map may extend. */
export const knows = (key) => key in words;

/** Counted: picks key_one or key_other and fills {n}. */
export function tn(key, n, params) {
    return t(`${key}_${plural.select(n) === "one" ? "one" : "other"}`, { n, ...params });
}

/** Fills every element that names a key. */
export function translatePage(root = document) {
    for (const node of root.querySelectorAll("[data-i18n]"))
        node.textContent = t(node.dataset.i18n);
    for (const node of root.querySelectorAll("[data-i18n-label]"))
        node.setAttribute("aria-label", t(node.dataset.i18nLabel));
}
