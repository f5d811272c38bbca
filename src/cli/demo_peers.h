/* src/cli/demo_peers.h: the small hospital around the demonstration: a RIS, a pager gateway and a mail server
 * on loopback, each in threads of its own, keeping what they receive. Not for use outside the demo.
 *
 * Threads: every function may be called from any thread; records are copied out under a lock. */
#ifndef SPD_CLI_DEMO_PEERS_H
#define SPD_CLI_DEMO_PEERS_H

#include "base/clock.h"
#include "base/str.h"

struct demo_message { char type[16], control_id[64], order[64]; spd_usec at; }; /* order: filler number */
struct demo_page { char page_id[64], to[80], channel[8], level[24]; long long alert; bool repeat, is_signed; spd_usec at; };

struct demo_peers;

/* spoed_mllp: where the RIS sends its own messages. secret signs pages. Owned; demo_peers_stop. */
struct demo_peers *demo_peers_start(int spoed_mllp, const char *secret);
void demo_peers_stop(struct demo_peers *p); /* NULL is a no-op */
int demo_peers_ris_port(const struct demo_peers *p);
int demo_peers_pager_port(const struct demo_peers *p);
int demo_peers_mail_port(const struct demo_peers *p);

void demo_ris_down(struct demo_peers *p, bool down); /* nobody listens, connections are dropped */
void demo_ris_echo(struct demo_peers *p, bool echo); /* sends every priority message back as its own change */
/* The RIS sends a message to Spoed; true when it was answered with AA. */
bool demo_ris_send(struct demo_peers *p, spd_sv message);

/* Messages that the RIS received for that order ("" any) of that type ("ORM", "ORU"). */
size_t demo_ris_count(struct demo_peers *p, const char *type, const char *order);
/* Pages received: of that alert (0 any), to that address (NULL any), not counting repeats of a page id. */
size_t demo_pages_count(struct demo_peers *p, long long alert, const char *to);
bool demo_pages_all_signed(struct demo_peers *p);

#endif
