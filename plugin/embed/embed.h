/* plugin/embed/embed.h: what the files of libspoed share; nobody else includes it.
 *
 * This code lives in other people's processes: nothing here aborts, logs, starts a thread, keeps a
 * global, or changes one (locale, signals). Memory that is not there is
 * SPOED_NO_MEMORY. The public header is the contract; the first version of each struct is its least
 * size for ever. */
#ifndef SPD_EMBED_H
#define SPD_EMBED_H

#include "client/http.h"
#include "spoed/spoed.h"

enum { SPD_EMBED_ANSWER_MAX = 256 * 1024, SPD_EMBED_BODY_MAX = 4 << 20 };

struct spoed { /* never changed once it is open */
    struct spd_http_target target;
    char socket[108], token[256], language[16];
};

/* A caller's struct that begins with its size into ours of size known: what he does not have is
 * zero, what we do not have must be zero. False: not usable. */
bool spd_embed_take(const void *from, void *to, size_t known);
/* Ours into the caller's, as much as he has room for; his size stays. */
void spd_embed_give(void *to, const void *from, size_t known);
/* Can this output be given? */
bool spd_embed_room(const void *to, size_t least);

/* Fills err (NULL, or with a size of its own, does no harm) and returns code. */
enum spoed_code spd_embed_fail(struct spoed_error *err, enum spoed_code code, const char *text);
enum spoed_code spd_embed_rc(struct spoed_error *err, enum spd_rc rc, const char *text);
/* Of an answer whose status is not 2xx; body: its problem, where it is one. */
enum spoed_code spd_embed_problem(struct spoed_error *err, int status, spd_sv body);

/* One request. SPOED_OK: status 2xx, and answer is its body. extra: waits that much longer. */
enum spoed_code spd_embed_call(const struct spoed *s, const char *method, const char *path,
                               const char *type, spd_sv body, spd_usec extra,
                               struct spd_str *answer, struct spoed_error *err);
/* An answer as a tree: nodes and texts in a block each. Reading it changes nothing. */
enum spd_embed_kind {
    SPD_EMBED_OTHER, /* null, false, a number that is not whole */
    SPD_EMBED_TRUE,
    SPD_EMBED_INT,
    SPD_EMBED_TEXT,
    SPD_EMBED_ARRAY,
    SPD_EMBED_OBJECT
};
struct spd_embed_node {
    enum spd_embed_kind kind;
    size_t n; /* of an array or object: members */
    int64_t number;
    const char *key, *text; /* key: within an object */
    struct spd_embed_node *first, *next;
};
struct spd_embed_doc { /* nodes[0] is the root, an object */
    struct spd_embed_node *nodes;
    char *texts;
    size_t n_nodes, n_texts;
};
/* SPOED_PROTOCOL, SPOED_NO_MEMORY. spd_embed_done wipes and frees; a zeroed one does no harm. */
enum spoed_code spd_embed_json(spd_sv text, struct spd_embed_doc *ret, struct spoed_error *err);
void spd_embed_done(struct spd_embed_doc *d);
/* All take NULL and a node of another kind, and then give NULL, 0 or "". */
const struct spd_embed_node *spd_embed_get(const struct spd_embed_node *o, const char *key);
const struct spd_embed_node *spd_embed_at(const struct spd_embed_node *a, size_t i);
size_t spd_embed_size(const struct spd_embed_node *a);
const char *spd_embed_string(const struct spd_embed_node *v);
const char *spd_embed_text(const struct spd_embed_node *o, const char *key);
int64_t spd_embed_int(const struct spd_embed_node *o, const char *key);

/* What does not fit is cut between letters. */
void spd_embed_copy(char *to, size_t room, const char *from);

#endif
