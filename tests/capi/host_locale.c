/* A host whose locale writes 0,5, or whose lower case of I is no i, gets the numbers and texts that
 * a host of the locale C gets. argv[3]: the program localedef. */
#include <locale.h>

#include "expect.h"

static const char* const kLocales[] = {"de_DE", "tr_TR"};

static void make_locale(const place* p, const char* localedef, const char* name) {
    char command[4096];
    snprintf(command, sizeof command, "%s -i %s -f UTF-8 '%s/%s.UTF-8' >/dev/null 2>&1", localedef,
             name, p->folder, name);
    EXPECT(system(command) == 0);
}

/* Everything that has numbers in it: the model's header, a store, hits, a score, a text, a check.
 */
static answer work(const char* model_path, const char* store_path) {
    answer out = {0, ""};
    rpt_error err = RPT_ERROR_INIT;
    rpt_env* env = NULL;
    rpt_model* model = NULL;
    rpt_store* store = NULL;
    rpt_hits* hits = NULL;
    rpt_session* session = NULL;
    rpt_store_options in = RPT_STORE_OPTIONS_INIT;
    rpt_session_options with = RPT_SESSION_OPTIONS_INIT;
    rpt_generate_options generate = RPT_GENERATE_OPTIONS_INIT;
    rpt_score score = {.struct_size = sizeof score};
    rpt_hit hit = {.struct_size = sizeof hit};
    uint64_t damaged = 1;
    char numbers[64];
    char* text = make_text(6000, 3);
    EXPECT_OK(rpt_env_open(NULL, &env, &err));
    EXPECT_OK(rpt_model_open(env, model_path, NULL, NULL, &model, &err));
    in.flags = RPT_STORE_CREATE;
    in.model = model;
    EXPECT_OK(rpt_store_open(env, store_path, &in, &store, &err));
    rpt_space* space = place_space(store, "INES");
    remember(space, "INDEX", text, 6000);
    EXPECT_OK(rpt_retrieve(&space, 1, "the sea was calm", 16, NULL, NULL, &hits, &err));
    EXPECT_OK(rpt_hits_get(hits, 0, &hit, &err));
    with.spaces = &space;
    with.n_spaces = 1;
    EXPECT_OK(rpt_session_new(model, &with, &session, &err));
    EXPECT_OK(rpt_session_score(session, text, 500, 0, NULL, NULL, NULL, &score, &err));
    memcpy(numbers, &hit.score, sizeof hit.score);
    memcpy(numbers + sizeof hit.score, &score.nll, sizeof score.nll);
    for (size_t i = 0; i < sizeof hit.score + sizeof score.nll; ++i)
        out.size += (size_t)sprintf(out.text + out.size, "%02x", (unsigned char)numbers[i]);
    generate.max_tokens = 24;
    generate.temperature = 0.75f;
    generate.seed = 7;
    EXPECT_OK(rpt_session_read(session, "the sea", 7, NULL, &err));
    EXPECT_OK(rpt_session_generate(session, &generate, NULL, add_text, &out, NULL, &err));
    EXPECT_OK(rpt_store_check(store, RPT_CHECK_DEEP, NULL, NULL, NULL, &damaged, &err));
    EXPECT(damaged == 0);
    rpt_session_free(session);
    rpt_hits_free(hits);
    rpt_space_close(space);
    EXPECT_OK(rpt_store_close(store, &err));
    rpt_model_close(model);
    rpt_env_close(env);
    free(text);
    return out;
}

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    EXPECT(argc > 3);
    const answer plain = work(p.model_path, place_path(&p, "C"));
    EXPECT(plain.size > 24);
    EXPECT(setenv("LOCPATH", p.folder, 1) == 0);
    for (size_t i = 0; i < sizeof kLocales / sizeof kLocales[0]; ++i) {
        char name[32];
        make_locale(&p, argv[3], kLocales[i]);
        snprintf(name, sizeof name, "%s.UTF-8", kLocales[i]);
        EXPECT(setlocale(LC_ALL, name) != NULL);
        char half[8];
        snprintf(half, sizeof half, "%.1f", 0.5);
        EXPECT(strcmp(half, "0,5") == 0);
        const answer here = work(p.model_path, place_path(&p, kLocales[i]));
        EXPECT(here.size == plain.size && memcmp(here.text, plain.text, plain.size) == 0);
        EXPECT(strcmp(setlocale(LC_ALL, NULL), name) == 0); /* and the locale is left alone */
    }
    place_close(&p);
    return 0;
}
