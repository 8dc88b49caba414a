/* Calls end early: by a token from another thread, a deadline, a progress callback, a failing
 * callback. */
#include <pthread.h>
#include <unistd.h>

#include "expect.h"

static void* request_soon(void* user) {
    usleep(50000);
    rpt_cancel_request(user);
    return NULL;
}

static int32_t stop_at_third(void* user, uint64_t done, uint64_t total) {
    (void)done, (void)total;
    return ++*(int*)user >= 3;
}

typedef struct ending {
    int answer_at, answer, texts;
    size_t bytes;
    int ends;
    rpt_status status;
    uint64_t at_token; /* of the last event */
} ending;

static int32_t on_event(void* user, const rpt_event* event) {
    ending* e = user;
    EXPECT(e->ends == 0);
    EXPECT(event->at_token >= e->at_token);
    EXPECT(event->type != RPT_EVENT_TEXT || event->at_token > 0);
    e->at_token = event->at_token;
    if (event->type == RPT_EVENT_END) {
        e->ends++;
        e->status = event->status;
    }
    if (event->type != RPT_EVENT_TEXT) return 0;
    e->bytes += event->text.size;
    return ++e->texts == e->answer_at ? e->answer : 0;
}

static int32_t stop_scoring(void* user, const rpt_scored_chunk* chunk) {
    (void)user, (void)chunk;
    return 1;
}

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    rpt_error err = RPT_ERROR_INIT;
    rpt_store* store = place_store(&p, "store", RPT_STORE_CREATE);
    rpt_space* space = place_space(store, "alice");
    rpt_doc_options doc_options = RPT_DOC_OPTIONS_INIT;
    rpt_generate_options generate = RPT_GENERATE_OPTIONS_INIT;
    rpt_generate_result result = {.struct_size = sizeof result};
    rpt_score score = {.struct_size = sizeof score};
    rpt_call call = RPT_CALL_INIT;
    rpt_session* session = NULL;
    rpt_doc* doc = NULL;
    rpt_model* model = NULL;
    pthread_t thread;
    const size_t size = 3000000;
    char* text = make_text(size, 5);
    uint64_t before;
    int n = 0;
    ending e;

    /* a token that is set already */
    call.cancel = rpt_cancel_new();
    EXPECT(call.cancel);
    rpt_cancel_request(call.cancel);
    rpt_cancel_request(call.cancel);
    EXPECT_FAILS(rpt_model_open(p.env, p.model_path, NULL, &call, &model, &err), RPT_ERR_CANCELLED,
                 "");
    EXPECT(model == NULL);
    rpt_cancel_free(call.cancel);

    /* from another thread, in the middle of three megabytes */
    doc_options.key = "long";
    EXPECT_OK(rpt_doc_begin(space, &doc_options, &doc, &err));
    call.cancel = rpt_cancel_new();
    EXPECT(pthread_create(&thread, NULL, request_soon, call.cancel) == 0);
    EXPECT_FAILS(rpt_doc_append(doc, text, size, &call, &err), RPT_ERR_CANCELLED, "cancelled");
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(rpt_doc_offset(doc) == 0 || rpt_doc_offset(doc) == size);
    rpt_cancel_free(call.cancel);
    call.cancel = NULL;
    rpt_doc_free(doc);

    /* a deadline: what the session holds is what it says it holds */
    EXPECT_OK(rpt_session_new(p.model, NULL, &session, &err));
    call.timeout_ms = 60;
    EXPECT_FAILS(rpt_session_read(session, text, size, &call, &err), RPT_ERR_TIMEOUT, "60 ms");
    EXPECT(err.flags & RPT_ERROR_RETRYABLE);
    before = rpt_session_offset(session);
    EXPECT(before < size);
    EXPECT_OK(rpt_session_read(session, text + before, 100, NULL, &err));
    EXPECT(rpt_session_offset(session) == before + 100);
    call.timeout_ms = 0;

    /* a progress callback that has enough */
    call.progress = stop_at_third;
    call.progress_user = &n;
    EXPECT_FAILS(rpt_session_read(session, text, size, &call, &err), RPT_ERR_CANCELLED, "progress");
    EXPECT(n == 3);
    call.progress = NULL;

    /* generation that the host stops, fails, or lets run out of time */
    generate.max_tokens = 60;
    generate.temperature = 1;
    generate.seed = 11;
    memset(&e, 0, sizeof e);
    e.answer_at = 2;
    e.answer = 1;
    before = rpt_session_offset(session);
    EXPECT_OK(rpt_session_generate(session, &generate, NULL, on_event, &e, &result, &err));
    EXPECT(result.finish == RPT_FINISH_HOST && e.texts == 2 && e.ends == 1 && e.status == RPT_OK);
    EXPECT(rpt_session_offset(session) == before + e.bytes && result.bytes == e.bytes);
    memset(&e, 0, sizeof e);
    e.answer_at = 3;
    e.answer = -7;
    before = rpt_session_offset(session);
    EXPECT_FAILS(rpt_session_generate(session, &generate, NULL, on_event, &e, &result, &err),
                 RPT_ERR_CALLBACK, "");
    EXPECT(e.texts == 3 && e.ends == 1 && e.status == RPT_ERR_CALLBACK && result.seed == 11);
    EXPECT(rpt_session_offset(session) == before + e.bytes && result.bytes == e.bytes);
    EXPECT(result.finish == RPT_FINISH_NONE && result.tokens >= 3 && result.tokens == e.at_token);
    EXPECT(result.first_token_us > 0 && result.total_us >= result.first_token_us);
    memset(&e, 0, sizeof e);
    generate.max_tokens = 1000000;
    call.timeout_ms = 100;
    before = rpt_session_offset(session);
    EXPECT(rpt_session_generate(session, &generate, &call, on_event, &e, &result, &err) ==
               RPT_ERR_TIMEOUT ||
           result.finish == RPT_FINISH_EOS);
    EXPECT(e.ends == 1 && rpt_session_offset(session) == before + e.bytes);
    EXPECT(result.bytes == e.bytes && result.tokens == e.at_token && result.total_us > 0);
    call.timeout_ms = 0;
    EXPECT_FAILS(rpt_session_score(session, text, 3000, 0, NULL, stop_scoring, NULL, &score, &err),
                 RPT_ERR_CALLBACK, "");

    /* a token outlives its objects, and may be freed while a call holds it */
    rpt_session_free(session);
    rpt_space_close(space);
    EXPECT_OK(rpt_store_close(store, &err));
    free(text);
    place_close(&p);
    rpt_cancel_request(NULL);
    rpt_cancel_free(NULL);
    return 0;
}
