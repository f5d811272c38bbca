/* tests/abi/header_c17.c: the public header alone, as ISO C17 with -Wpedantic; every INIT macro, every struct. */
#include <spoed/spoed.h>
#include <spoed/spoed.h> /* twice does no harm */

int main(void)
{
    struct spoed_error error = SPOED_ERROR_INIT;
    struct spoed_options options = SPOED_OPTIONS_INIT;
    struct spoed_order_answer order = SPOED_ORDER_ANSWER_INIT;
    struct spoed_result_answer result = SPOED_RESULT_ANSWER_INIT;
    struct spoed_study study = SPOED_STUDY_INIT;
    struct spoed_query query = SPOED_QUERY_INIT;
    struct spoed_event event = SPOED_EVENT_INIT;
    struct spoed *session = NULL;
    options.timeout_ms = 10;
    if (!spoed_version()[0] || spoed_open(&options, &session, &error) != SPOED_OK) return 1;
    spoed_close(session);
    return error.size != sizeof error || order.size != sizeof order || result.size != sizeof result ||
           study.size != sizeof study || query.size != sizeof query || event.size != sizeof event;
}
