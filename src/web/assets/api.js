/* api.js: the one way to the server. JSON in and out, problems (RFC 9457) as ApiError, the CSRF
 * token on everything that changes something, Accept-Language as the reader chose. Status 0 = no
 * connection: the caller must say so and never pretend that it was sent. */
import { chosenLanguage, t } from "./i18n.js";

export class ApiError extends Error {
    constructor(status, problem) {
        super(problem.detail || problem.title || "");
        this.status = status;
        this.problem = problem;
    }
    /** A sentence for a person: the server's own where it has one. */
    get sentence() {
        if (this.status === 0) return t("error_offline");
        return this.message || t("error_status", { status: this.status });
    }
}

let session = null;

function csrf() {
    if (session) return session.csrf;
    try {
        return sessionStorage.getItem("spoed.csrf") || "";
    } catch (e) {
        return "";
    }
}

export function keepSession(answer) {
    session = answer;
    try {
        sessionStorage.setItem("spoed.csrf", answer.csrf || "");
    } catch (e) {
        /* kept in memory for as long as the page lives */
    }
    return answer;
}

export const currentSession = () => session;
export const hasRole = (role) => Boolean(session && (session.roles || []).includes(role));

export function toLogin(why) {
    const next = location.pathname + location.search;
    location.assign(`/login?next=${encodeURIComponent(next)}${why ? `&why=${why}` : ""}`);
}

async function readBody(answer) {
    const text = await answer.text();
    if (!text) return {};
    try {
        return JSON.parse(text);
    } catch (e) {
        return { detail: "" };
    }
}

/** @returns {Promise<{status:number, data:any, etag:string|null}>} */
export async function request(method, path, { body, etag, ifMatch, timeout = 15000 } = {}) {
    const headers = { Accept: "application/json", "Accept-Language": chosenLanguage() };
    if (method !== "GET") {
        headers["X-CSRF-Token"] = csrf();
        headers["Content-Type"] = "application/json";
    }
    if (etag) headers["If-None-Match"] = etag;
    if (ifMatch) headers["If-Match"] = ifMatch;
    let answer;
    try {
        answer = await fetch(path, {
            method,
            headers,
            credentials: "same-origin",
            cache: "no-store",
            redirect: "error",
            body: method === "GET" ? undefined : JSON.stringify(body || {}),
            signal: AbortSignal.timeout(timeout),
        });
    } catch (e) {
        throw new ApiError(0, { title: "offline" });
    }
    if (answer.status === 304) return { status: 304, data: null, etag };
    let data;
    try {
        data = await readBody(answer);
    } catch (e) {
        throw new ApiError(0, { title: "offline" }); /* cut off half-way: not an answer */
    }
    if (!answer.ok) throw new ApiError(answer.status, data);
    return { status: answer.status, data, etag: answer.headers.get("ETag") };
}

export const get = async (path) => (await request("GET", path)).data;
export const post = async (path, body, options) =>
    (await request("POST", path, { body, ...options })).data;

/** Who is logged in; goes to the login page when nobody is. */
export async function needSession() {
    try {
        return keepSession(await get("/api/v1/session"));
    } catch (e) {
        if (e instanceof ApiError && e.status === 401) {
            toLogin("");
            return new Promise(() => {}); /* the page is being left */
        }
        throw e;
    }
}
