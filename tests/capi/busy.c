/* Owned objects answer BUSY while they work; every other object may be used from a callback;
 * freeing may come early. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "expect.h"

typedef struct scene {
    place p;
    rpt_session *session, *other;
    rpt_space* space;
    rpt_doc* doc;
    pthread_t caller;
    int texts, in_progress;
    rpt_status seen_from_thread;
} scene;

static void* read_elsewhere(void* user) {
    scene* s = user;
    s->seen_from_thread = rpt_session_read(s->session, "x", 1, NULL, NULL);
    return NULL;
}

static int32_t on_event(void* user, const rpt_event* event) {
    scene* s = user;
    rpt_error err = RPT_ERROR_INIT;
    rpt_hits* hits = NULL;
    pthread_t thread;
    EXPECT(pthread_equal(pthread_self(), s->caller));
    if (event->type != RPT_EVENT_TEXT || s->texts++ > 0) return 0;
    EXPECT_FAILS(rpt_session_read(s->session, "x", 1, NULL, &err), RPT_ERR_BUSY, "in use");
    EXPECT_FAILS(rpt_session_retrieve(s->session, NULL, NULL, &hits, &err), RPT_ERR_BUSY,
                 "session");
    EXPECT(rpt_session_offset(s->session) >= 10);
    EXPECT(pthread_create(&thread, NULL, read_elsewhere, s) == 0 &&
           pthread_join(thread, NULL) == 0);
    EXPECT(s->seen_from_thread == RPT_ERR_BUSY);
    /* model work from within model work */
    EXPECT_OK(rpt_session_read(s->other, "the sea was calm", 16, NULL, &err));
    EXPECT_OK(rpt_retrieve(&s->space, 1, "the sea", 7, NULL, NULL, &hits, &err));
    rpt_hits_free(hits);
    remember(s->space, "from within", "the stars over the water", 24);
    rpt_session_free(s->session); /* takes effect when the call has left it */
    return 0;
}

static int32_t on_doc(void* user, const char* key, const rpt_doc_info* info) {
    scene* s = user;
    rpt_error err = RPT_ERROR_INIT;
    (void)info;
    EXPECT_OK(rpt_doc_delete(s->space, key, &err));
    s->texts++;
    return s->texts == 2;
}

static int32_t refuse(void* user, const char* key, const rpt_doc_info* info) {
    (void)user, (void)key, (void)info;
    return -5;
}

static int32_t on_progress(void* user, uint64_t done, uint64_t total) {
    scene* s = user;
    (void)done, (void)total;
    s->in_progress++;
    EXPECT(rpt_doc_append(s->doc, "x", 1, NULL, NULL) == RPT_ERR_BUSY);
    return 0;
}

static volatile sig_atomic_t signals_here;
static pthread_t main_thread;
static void on_signal(int number) {
    (void)number;
    if (pthread_equal(pthread_self(), main_thread)) signals_here++;
}

int main(int argc, char** argv) {
    scene s;
    rpt_error err = RPT_ERROR_INIT;
    rpt_generate_options options = RPT_GENERATE_OPTIONS_INIT;
    rpt_doc_options doc_options = RPT_DOC_OPTIONS_INIT;
    rpt_call call = RPT_CALL_INIT;
    rpt_store* store;
    char* text = make_text(2000, 4);
    char* long_text;
    int i;
    memset(&s, 0, sizeof s);
    s.p = place_open(argc, argv);
    s.caller = pthread_self();
    store = place_store(&s.p, "store", RPT_STORE_CREATE);
    s.space = place_space(store, "alice");
    EXPECT_OK(rpt_session_new(s.p.model, NULL, &s.session, &err));
    EXPECT_OK(rpt_session_new(s.p.model, NULL, &s.other, &err));
    EXPECT_OK(rpt_session_read(s.session, text, 100, NULL, &err));
    options.max_tokens = 8;
    options.temperature = 1;
    options.seed = 3;
    EXPECT_OK(rpt_session_generate(s.session, &options, NULL, on_event, &s, NULL, &err));
    EXPECT(s.texts > 0);
    rpt_session_free(s.other);

    /* a writer is busy during its own progress */
    doc_options.key = "book";
    call.progress = on_progress;
    call.progress_user = &s;
    EXPECT_OK(rpt_doc_begin(s.space, &doc_options, &s.doc, &err));
    long_text = make_text(30000, 9);
    EXPECT_OK(rpt_doc_append(s.doc, long_text, 30000, &call, &err));
    free(long_text);
    EXPECT_OK(rpt_doc_finish(s.doc, NULL, NULL, &err));
    EXPECT(s.in_progress > 0);
    rpt_doc_free(s.doc);

    /* visitors may write, end early, and fail */
    remember(s.space, "third", "far wind", 8);
    EXPECT_FAILS(rpt_doc_list(s.space, NULL, refuse, NULL, &err), RPT_ERR_CALLBACK, "-5");
    s.texts = 0;
    EXPECT_OK(rpt_doc_list(s.space, NULL, on_doc, &s, &err));
    EXPECT(s.texts == 2);
    rpt_space_close(s.space);
    EXPECT_OK(rpt_store_close(store, &err));

    /* signals reach the host's thread, never the library's */
    main_thread = pthread_self();
    signal(SIGUSR1, on_signal);
    for (i = 0; i < 20; ++i) kill(getpid(), SIGUSR1);
    EXPECT(signals_here > 0);
    free(text);
    place_close(&s.p);
    return 0;
}
