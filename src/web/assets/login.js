/* login.js: user and password in, session out, and back to where the reader came from (same site
 * only). */
import { $ } from "./dom.js";
import { keepSession, request } from "./api.js";
import { loadLanguage, t, translatePage } from "./i18n.js";
import { choices } from "./shell.js";

function nextPage() {
    const next = new URLSearchParams(location.search).get("next") || "/worklist";
    try {
        const url = new URL(next, location.origin);
        /* Only a path of this site: never another host, never a scheme. */
        return url.origin === location.origin && next.startsWith("/") && url.pathname !== "/login"
            ? url.pathname + url.search + url.hash
            : "/worklist";
    } catch (e) {
        return "/worklist";
    }
}

function draw() {
    translatePage();
    document.title = `${t("login_title")} · Spoed`;
    $("choices").replaceChildren(...choices(draw));
    $("expired").hidden = new URLSearchParams(location.search).get("why") !== "expired";
}

async function submit(e) {
    e.preventDefault();
    const button = e.target.querySelector("button[type=submit]");
    $("error").textContent = "";
    if (!$("user").value.trim() || !$("password").value) {
        $("error").textContent = t("login_both");
        return;
    }
    button.disabled = true;
    try {
        const answer = await request("POST", "/api/v1/session", {
            body: { user: $("user").value.trim(), password: $("password").value },
        });
        keepSession(answer.data);
        location.assign(nextPage());
    } catch (x) {
        if (x.status === undefined) throw x;
        $("error").textContent = x.status === 401 ? t("login_wrong") : x.sentence;
        $("password").value = "";
        $("password").focus();
    } finally {
        button.disabled = false;
    }
}

loadLanguage().then(() => {
    draw();
    $("login").addEventListener("submit", submit);
    $("user").focus();
});
