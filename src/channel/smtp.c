/* src/channel/smtp.c: a page as a mail. The subject says only that there is one and how urgent it is; the
 * text and the link to it are in the body. A 250 means that a mail server has it, not that anybody read it.
 *
 * STARTTLS is demanded unless the server is on loopback or the configuration says insecure. Replies 5yz are
 * permanent, 4yz and failing connections temporary; a connection that is lost after the whole mail went out
 * is unknown. CR and LF are refused in every header field.
 *
 * Threads: one self per worker. */
#define _GNU_SOURCE
#include "channel/internal.h"

struct smtp {
    const struct spd_channel_config *config;
    CURL *curl;
    bool plain; /* smtp:// (STARTTLS where it is not loopback), not smtps:// */
};

struct source { /* CURLOPT_READDATA */
    spd_sv left;
    bool all_read;
};

/* After a time-out libcurl still says QUIT and waits for its answer as long as the server likes; this ends
 * that wait. Non-zero stops the transfer. */
static int is_over(void *deadline, curl_off_t dt, curl_off_t dn, curl_off_t ut, curl_off_t un)
{
    (void)dt, (void)dn, (void)ut, (void)un;
    return spd_clock_monotonic() > *(const spd_usec *)deadline;
}

static size_t read_mail(char *to, size_t size, size_t n, void *ctx)
{
    struct source *s = ctx;
    size_t k = size * n < s->left.len ? size * n : s->left.len;
    if (k) memcpy(to, s->left.ptr, k);
    s->left.ptr += k, s->left.len -= k;
    if (!s->left.len) s->all_read = true;
    return k;
}

/* user@host in printable ASCII without spaces or angle brackets. */
static bool is_address(spd_sv v)
{
    const char *at = v.len ? memchr(v.ptr, '@', v.len) : NULL;
    if (!at || at == v.ptr || at == v.ptr + v.len - 1 || v.len > 254) return false;
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] <= ' ' || v.ptr[i] >= 0x7f || v.ptr[i] == '<' || v.ptr[i] == '>' || v.ptr[i] == ',')
            return false;
    return true;
}

static enum spd_rc smtp_open(const struct spd_channel_config *config, void **ret_self, struct spd_err *err)
{
    spd_sv scheme, host;
    struct smtp *s;
    if (!spd_channel_is_field(config->to, 2000) || !spd_channel_url_host(config->to, &scheme, &host) ||
        (!spd_sv_is(scheme, "smtp") && !spd_sv_is(scheme, "smtps")))
        return spd_fail(err, SPD_INVALID, "url", "mail needs smtp://host:port or smtps://host:port");
    if (!is_address(config->from))
        return spd_fail(err, SPD_INVALID, "from", "mail needs the address it comes from, as from: name@host");
    spd_channel_curl_once();
    s = spd_must_malloc(sizeof *s);
    s->config = config;
    s->plain = spd_sv_is(scheme, "smtp") && (config->insecure || spd_channel_is_loopback(host));
    s->curl = curl_easy_init();
    if (!s->curl) spd_out_of_memory();
    *ret_self = s;
    return SPD_OK;
}

static void smtp_close(void *self)
{
    struct smtp *s = self;
    if (!s) return;
    curl_easy_cleanup(s->curl);
    spd_free(s);
}

/* Body text with CRLF line ends; bare CR and LF in it become line ends. */
static void add_lines(struct spd_str *out, spd_sv v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == '\r' && i + 1 < v.len && v.ptr[i + 1] == '\n') continue;
        if (v.ptr[i] == '\n' || v.ptr[i] == '\r') spd_str_addz(out, "\r\n");
        else spd_str_addc(out, v.ptr[i]);
    }
    spd_str_addz(out, "\r\n");
}

static void add_date(struct spd_str *out, spd_usec now)
{
    static const char *const day[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const month[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct spd_civil c = spd_zone_civil(spd_zone_utc(), now);
    spd_str_addf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", day[c.weekday % 7], c.day,
                 month[(c.month + 11) % 12], c.year, c.hour, c.minute, c.second);
}

static enum spd_rc smtp_build(void *self, const struct spd_delivery *d, struct spd_sending *ret,
                              struct spd_arena *arena)
{
    struct smtp *s = self;
    struct spd_page_text page = {0};
    spd_sv body;
    struct spd_str m = SPD_STR_INIT(256 * 1024);
    bool nl = spd_sv_is(s->config->language, "nl");
    const char *repeat = nl ? "HERHALING " : "REPEAT ";
    if (spd_channel_page(&d->row, &page, &body, arena, NULL)) {
        ret->detail = SPD_SV("the page is not JSON");
        return SPD_INVALID;
    }
    if (!is_address(d->row.to) || !spd_channel_is_field(page.page_id, 100) ||
        !spd_channel_is_field(page.level, 40) || !spd_channel_is_field(page.link, 2000)) {
        ret->detail = SPD_SV("a field is no mail address or holds control characters");
        return SPD_INVALID;
    }
    add_date(&m, d->now);
    spd_str_addf(&m, "From: <%.*s>\r\nTo: <%.*s>\r\n", SPD_SV_ARG(s->config->from), SPD_SV_ARG(d->row.to));
    spd_str_addf(&m, "Subject: %sSpoed: %s%s%.*s\r\n", page.repeat ? repeat : "",
                 nl ? "nieuwe melding" : "new alert", page.level.len ? ", " : "", SPD_SV_ARG(page.level));
    spd_str_addf(&m, "Message-ID: <%.*s.%lld@spoed.invalid>\r\nX-Spoed-Page-Id: %.*s\r\n",
                 SPD_SV_ARG(page.page_id), (long long)d->row.attempts, SPD_SV_ARG(page.page_id));
    spd_str_addz(&m, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                     "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
    if (page.repeat) add_lines(&m, nl ? SPD_SV("HERHALING van een eerdere melding.")
                                      : SPD_SV("REPEAT of an earlier alert."));
    add_lines(&m, page.text);
    if (page.link.len) add_lines(&m, page.link);
    ret->sent = spd_arena_dup(arena, spd_str_sv(&m));
    spd_str_done(&m);
    return SPD_OK;
}

static size_t ignore(char *p, size_t size, size_t n, void *ctx)
{
    struct spd_channel_sink *sink = ctx;
    (void)p;
    spd_channel_sink_write(p, size, n, sink);
    return size * n; /* the server's chatter; never a reason to stop */
}

static enum spd_outcome judge(CURL *c, CURLcode rc, const struct source *source, struct spd_sending *ret,
                              struct spd_arena *arena)
{
    long code = 0;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
    if (rc == CURLE_OK) {
        ret->detail = SPD_SV("SMTP 250");
        return SPD_OUTCOME_OK;
    }
    if (code >= 400 && rc != CURLE_OPERATION_TIMEDOUT && rc != CURLE_USE_SSL_FAILED) {
        ret->detail = spd_arena_printf(arena, "SMTP %ld", code);
        return code >= 500 ? SPD_OUTCOME_PERMANENT : SPD_OUTCOME_TEMPORARY;
    }
    return spd_channel_curl_outcome(c, rc, source->all_read, &ret->detail, arena);
}

static enum spd_outcome smtp_send(void *self, const struct spd_delivery *d, struct spd_sending *ret,
                                  struct spd_arena *arena)
{
    struct smtp *s = self;
    spd_usec total = s->config->total_timeout ? s->config->total_timeout : SPD_SEC(8);
    spd_usec deadline = spd_clock_monotonic() + total;
    struct source source;
    struct spd_channel_sink sink = {SPD_STR_INIT(SPD_CHANNEL_ANSWER_MAX + 1), false};
    struct curl_slist *to = NULL;
    enum spd_outcome outcome;
    CURLcode rc;
    if (smtp_build(self, d, ret, arena)) return SPD_OUTCOME_PERMANENT;
    source = (struct source){ret->sent, false};
    to = curl_slist_append(NULL, spd_arena_printf(arena, "<%.*s>", SPD_SV_ARG(d->row.to)).ptr);
    if (!to) spd_out_of_memory();
    curl_easy_reset(s->curl);
    spd_channel_curl_guard(s->curl, s->config, "smtp,smtps", s->plain);
    if (!s->plain) curl_easy_setopt(s->curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    curl_easy_setopt(s->curl, CURLOPT_URL, spd_arena_dup(arena, s->config->to).ptr);
    curl_easy_setopt(s->curl, CURLOPT_MAIL_FROM,
                     spd_arena_printf(arena, "<%.*s>", SPD_SV_ARG(s->config->from)).ptr);
    curl_easy_setopt(s->curl, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(s->curl, CURLOPT_READFUNCTION, read_mail);
    curl_easy_setopt(s->curl, CURLOPT_READDATA, &source);
    curl_easy_setopt(s->curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(s->curl, CURLOPT_XFERINFOFUNCTION, is_over);
    curl_easy_setopt(s->curl, CURLOPT_XFERINFODATA, &deadline);
    curl_easy_setopt(s->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(s->curl, CURLOPT_FRESH_CONNECT, 1L); /* mail servers close idle connections */
    curl_easy_setopt(s->curl, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(s->curl, CURLOPT_HEADERFUNCTION, ignore);
    curl_easy_setopt(s->curl, CURLOPT_HEADERDATA, &sink);
    rc = curl_easy_perform(s->curl);
    outcome = judge(s->curl, rc, &source, ret, arena);
    ret->answer = spd_arena_dup(arena, spd_str_sv(&sink.text));
    curl_slist_free_all(to);
    spd_str_done(&sink.text);
    return outcome;
}

const struct spd_channel spd_channel_smtp = {"smtp", smtp_open, smtp_build, smtp_send, smtp_close};
