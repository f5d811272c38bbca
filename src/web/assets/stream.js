/* stream.js: /api/v1/stream for a page. Reads server-sent events with fetch instead of
 * EventSource, since only so the heartbeat comments can be seen (the age of the last byte is what
 * "Live" means), a 401 told from a broken line, and the resume position sent by hand. One stream
 * per browser: the tab that holds the lock reads, the others listen to it, so that six tabs do not
 * use up HTTP/1.1's connections. An event is a hint: pages fetch the list again and never patch it
 * from events. */

const LIVE_MS = 20000;
const BROKEN_MS = 30000;
const SILENT_MS = 45000;

/** Cuts a byte stream into events; a comment line counts as life and yields nothing. */
export function eventParser(emit) {
    let rest = "";
    let event = { name: "message", data: "", id: null };
    return (chunk) => {
        const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
        rest = lines.pop();
        for (const line of lines) {
            if (line === "") {
                if (event.data || event.id !== null) emit(event);
                event = { name: "message", data: "", id: null };
            } else if (!line.startsWith(":")) {
                const cut = line.indexOf(":");
                const field = cut < 0 ? line : line.slice(0, cut);
                const value = cut < 0 ? "" : line.slice(cut + 1).replace(/^ /, "");
                if (field === "event") event.name = value;
                else if (field === "data") event.data += (event.data ? "\n" : "") + value;
                else if (field === "id") event.id = value;
            }
        }
    };
}

/** onEvent({name, data, id}), onState("live"|"delayed"|"broken", since) */
export class Stream {
    /** from: revision of what the page already shows; the stream begins after it. */
    constructor(from, onEvent, onState, onLoggedOut) {
        this.onEvent = onEvent;
        this.onState = onState;
        this.onLoggedOut = onLoggedOut;
        this.lastByte = 0; /* of the stream, here or in the tab that reads it */
        this.lastContact = performance.now(); /* of any answer, polling too */
        this.lastContactWall = Date.now();
        this.lastId = from ? String(from) : null;
        this.state = "";
        this.wait = 1000;
        this.channel = "BroadcastChannel" in self ? new BroadcastChannel("spoed.stream") : null;
        if (this.channel) this.channel.onmessage = (m) => this.heard(m.data, false);
        setInterval(() => this.judge(), 1000);
        if (navigator.locks && this.channel)
            navigator.locks.request("spoed.stream", () => this.run());
        else this.run();
    }

    /** A poll was answered: the list is current although the stream may not be. */
    contact() {
        this.lastContact = performance.now();
        this.lastContactWall = Date.now();
        this.judge();
    }

    get healthy() {
        return this.lastByte > 0 && performance.now() - this.lastByte < LIVE_MS;
    }

    judge() {
        const age = performance.now() - Math.max(this.lastByte, this.lastContact);
        const state = this.healthy ? "live" : age < BROKEN_MS ? "delayed" : "broken";
        if (state !== this.state) {
            this.state = state;
            this.onState(state, this.lastContactWall);
        }
    }

    heard(what, own) {
        this.lastByte = performance.now();
        this.lastContactWall = Date.now();
        if (own && this.channel) this.channel.postMessage(what);
        if (what.event) {
            if (what.event.id !== null) this.lastId = what.event.id;
            this.onEvent(what.event);
        }
        this.judge();
    }

    async run() {
        for (;;) {
            const stop = await this.once();
            if (stop) return;
            await new Promise((r) => setTimeout(r, this.wait));
            this.wait = Math.min(this.wait * 2, 10000);
        }
    }

    async once() {
        const abort = new AbortController();
        let guard = setTimeout(() => abort.abort(), SILENT_MS);
        try {
            const headers = { Accept: "text/event-stream" };
            if (this.lastId !== null) headers["Last-Event-ID"] = this.lastId;
            const answer = await fetch("/api/v1/stream", {
                headers,
                cache: "no-store",
                signal: abort.signal,
            });
            if (answer.status === 401) {
                this.onLoggedOut();
                return true;
            }
            if (!answer.ok || !answer.body) return false;
            this.wait = 1000;
            /* What changed between the list and this moment is asked for once. */
            this.heard({ event: { name: "open", data: "", id: null } }, true);
            const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
            const feed = eventParser((event) => this.heard({ event }, true));
            for (;;) {
                const { done, value } = await reader.read();
                if (done) return false;
                clearTimeout(guard);
                guard = setTimeout(() => abort.abort(), SILENT_MS);
                this.heard({ event: null }, true);
                feed(value);
            }
        } catch (e) {
            return false; /* the line broke; judge() tells the reader by its age */
        } finally {
            clearTimeout(guard);
        }
    }
}
