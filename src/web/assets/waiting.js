/* waiting.js: acknowledgements that the server has not taken yet: alert id -> {at}. In
 * localStorage, so that a reload does not lose them; numbers and times only, no patient data. */
const KEY = "spoed.waiting";
const memory = {};

/** Returns all; change(all) may alter them first. */
export function waiting(change) {
    let all = {};
    try {
        all = JSON.parse(localStorage.getItem(KEY) || "{}");
        if (change) {
            change(all);
            localStorage.setItem(KEY, JSON.stringify(all));
        }
    } catch (e) {
        all = memory;
        if (change) change(all);
    }
    return all;
}

const READ = "spoed.understood";
let read = [];

/** Withdrawn alerts that somebody has taken note of on this device; the last 200 ids. */
export function understood(change) {
    try {
        read = JSON.parse(localStorage.getItem(READ) || "[]");
    } catch (e) {
        /* kept for as long as the page lives */
    }
    if (!change) return read;
    change(read);
    read = read.slice(-200);
    try {
        localStorage.setItem(READ, JSON.stringify(read));
    } catch (e) {
        /* likewise */
    }
    return read;
}
