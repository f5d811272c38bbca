/* plugin/embed/stream.c: what changes, as a descriptor and a function that never waits. */
#define _GNU_SOURCE
#include "client/stream.h"

#include <stdio.h>
#include <stdlib.h>

#include "embed.h"

struct spoed_stream {
    struct spd_stream *in;
};

enum spoed_code spoed_subscribe(const struct spoed *s, int64_t place, struct spoed_stream **ret,
                                struct spoed_error *err)
{
    char path[80] = "/api/v1/stream";
    struct spd_str problem = SPD_STR_INIT(SPD_EMBED_ANSWER_MAX);
    struct spoed_stream *stream;
    struct spd_err why = {0};
    enum spoed_code code = SPOED_OK;
    enum spd_rc rc;
    int status = 0;
    if (!s || !ret || place < 0)
        return spd_embed_fail(err, SPOED_INVALID, "no such place in the stream");
    if (place) snprintf(path, sizeof path, "/api/v1/stream?last_event_id=%lld", (long long)place);
    stream = calloc(1, sizeof *stream);
    if (!stream) return spd_embed_fail(err, SPOED_NO_MEMORY, "out of memory");
    rc = spd_stream_open(&s->target, path, &status, &problem, &stream->in, &why);
    if (rc)
        code = spd_embed_rc(err, rc, why.text);
    else if (!stream->in)
        code = spd_embed_problem(err, status, spd_str_sv(&problem));
    spd_str_done(&problem);
    if (code)
        free(stream);
    else
        *ret = stream;
    return code;
}

void spoed_unsubscribe(struct spoed_stream *stream)
{
    if (!stream) return;
    spd_stream_close(stream->in);
    free(stream);
}

int spoed_stream_fd(const struct spoed_stream *stream)
{
    return spd_stream_fd(stream->in);
}

int64_t spoed_stream_place(const struct spoed_stream *stream)
{
    return spd_stream_place(stream->in);
}

static enum spoed_kind kind_of(const char *word)
{
    static const char *const words[] = {"item", "alert", "alarm", "health", "reset"};
    for (int i = 0; i < 5; i++)
        if (!strcmp(word, words[i])) return (enum spoed_kind)(SPOED_KIND_ITEM + i);
    return SPOED_KIND_OTHER;
}

enum spoed_code spoed_next(struct spoed_stream *stream, struct spoed_event *ret)
{
    struct spd_stream_event in;
    struct spoed_event e = {0};
    if (!stream || !spd_embed_room(ret, sizeof e)) return SPOED_INVALID;
    switch (spd_stream_next(stream->in, &in)) {
    case SPD_OK:
        e.kind = kind_of(in.kind), e.id = in.id, e.revision = in.revision;
        spd_embed_give(ret, &e, sizeof e);
        return SPOED_OK;
    case SPD_AGAIN:
        return SPOED_AGAIN;
    default:
        return SPOED_END;
    }
}
