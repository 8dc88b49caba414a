/* Any order of closing, an environment that ends first, logs, two environments, a host thread that
 * exits in a callback. */
#include <pthread.h>

#include "expect.h"

static void on_log(void* user, int32_t level, const char* domain, const char* text, size_t size) {
    EXPECT(level >= RPT_LOG_ERROR && level <= RPT_LOG_DEBUG && domain && strlen(text) == size &&
           !strchr(text, '\n'));
    if (level == RPT_LOG_WARN && strstr(text, "compute_threads")) ++*(int*)user;
}

static int32_t leave_thread(void* user, const rpt_event* event) {
    (void)event;
    ++*(int*)user;
    pthread_exit(NULL);
}

typedef struct leaver {
    rpt_session* session;
    int events;
} leaver;

static void* generate_and_leave(void* user) {
    leaver* l = user;
    rpt_generate_options options = RPT_GENERATE_OPTIONS_INIT;
    options.max_tokens = 50;
    rpt_session_generate(l->session, &options, NULL, leave_thread, &l->events, NULL, NULL);
    return user;
}

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    rpt_error err = RPT_ERROR_INIT;
    rpt_env_options options = RPT_ENV_OPTIONS_INIT;
    rpt_store* store = place_store(&p, "store", RPT_STORE_CREATE);
    rpt_space* space = place_space(store, "alice");
    rpt_session_options session_options = RPT_SESSION_OPTIONS_INIT;
    rpt_session* session = NULL;
    rpt_hits* hits = NULL;
    rpt_hit hit = {.struct_size = sizeof hit};
    rpt_env* env = NULL;
    rpt_model* model = NULL;
    pthread_t thread;
    leaver l = {NULL, 0};
    void* returned = NULL;
    char* text = make_text(1000, 6);
    int warnings = 0;

    /* a second environment is told that the thread count is taken, and serves all the same */
    options.compute_threads = 7;
    options.log_level = RPT_LOG_DEBUG;
    options.log = on_log;
    options.log_user = &warnings;
    EXPECT_OK(rpt_env_open(&options, &env, &err));
    EXPECT(warnings == 1);
    EXPECT_OK(rpt_model_open(env, p.model_path, NULL, NULL, &model, &err));
    rpt_model_close(model);
    rpt_env_close(env);

    /* parents closed first: children go on */
    remember(space, "book", text, 1000);
    session_options.spaces = &space;
    session_options.n_spaces = 1;
    EXPECT_OK(rpt_session_new(p.model, &session_options, &session, &err));
    rpt_model_close(p.model);
    EXPECT_OK(rpt_store_close(store, &err));
    rpt_space_close(space);
    EXPECT_OK(rpt_session_read(session, text, 200, NULL, &err));
    EXPECT_OK(rpt_session_retrieve(session, NULL, NULL, &hits, &err));
    EXPECT(rpt_hits_count(hits) > 0);

    /* a host thread that ends within a callback takes nothing with it */
    l.session = session;
    EXPECT(pthread_create(&thread, NULL, generate_and_leave, &l) == 0 &&
           pthread_join(thread, &returned) == 0);
    EXPECT(l.events == 1 && returned == NULL);
    EXPECT_OK(rpt_session_read(session, text, 100, NULL, &err));

    /* the environment ends before its objects */
    rpt_env_close(p.env);
    EXPECT_FAILS(rpt_session_read(session, text, 100, NULL, &err), RPT_ERR_STATE, "closed");
    rpt_session_free(session);
    EXPECT_OK(rpt_hits_get(hits, 0, &hit, &err));
    EXPECT(hit.key.size == 4 && memcmp(hit.key.data, "book", 4) == 0);
    rpt_hits_free(hits);

    /* everything was closed: the store opens again */
    p = place_open(argc, argv);
    store = place_store(&p, "store", 0);
    EXPECT_OK(rpt_store_close(store, &err));
    place_close(&p);
    free(text);
    return 0;
}
