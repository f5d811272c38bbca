/* theme.js: sets the colour theme before anything is drawn, so that a dark room stays dark. Classic
 * script on purpose: a module would run after the first paint. Keeps nothing but one word in
 * localStorage: "dark", "light" or "system". */
(function () {
    "use strict";
    let wanted = null;
    try {
        wanted = localStorage.getItem("spoed.theme");
    } catch (e) {
        wanted = null; /* storage switched off: the page's own default holds */
    }
    const root = document.documentElement;
    if (wanted === "dark" || wanted === "light") root.dataset.theme = wanted;
    else if (wanted === "system") delete root.dataset.theme;
})();
