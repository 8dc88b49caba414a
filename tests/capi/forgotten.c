/* A store that read a document, deleted it and was compacted continues as one that never read it,
 * and no file of it holds a byte of what was deleted. */
#include <dirent.h>

#include "expect.h"

/* Hits and a greedy continuation, as one text; numbers of chunks aside. */
static void ask(const place* p, rpt_space* space, answer* out) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_session_options with = RPT_SESSION_OPTIONS_INIT;
    rpt_generate_options generate = RPT_GENERATE_OPTIONS_INIT;
    rpt_session* session = NULL;
    rpt_hits* hits = NULL;
    char* prompt = make_text(300, 9);
    size_t i;
    out->size = 0;
    EXPECT_OK(rpt_retrieve(&space, 1, prompt, 300, NULL, NULL, &hits, &err));
    EXPECT(rpt_hits_count(hits) > 0);
    for (i = 0; i < rpt_hits_count(hits); ++i) {
        rpt_hit hit = {.struct_size = sizeof hit};
        EXPECT_OK(rpt_hits_get(hits, i, &hit, &err));
        out->size += (size_t)snprintf(
            out->text + out->size, sizeof out->text - out->size, "%a %llu-%llu %.*s\n",
            (double)hit.score, (unsigned long long)hit.span.begin, (unsigned long long)hit.span.end,
            (int)hit.key.size, hit.key.data);
    }
    with.spaces = &space;
    with.n_spaces = 1;
    generate.max_tokens = 60;
    EXPECT_OK(rpt_session_new(p->model, &with, &session, &err));
    EXPECT_OK(rpt_session_read(session, prompt, 300, NULL, &err));
    EXPECT_OK(rpt_session_generate(session, &generate, NULL, add_text, out, NULL, &err));
    rpt_session_free(session);
    rpt_hits_free(hits);
    free(prompt);
}

static int folder_holds(const char* folder, const char* bytes, size_t size) {
    DIR* names = opendir(folder);
    struct dirent* entry;
    int found = 0;
    EXPECT(names != NULL);
    while ((entry = readdir(names)) != NULL) {
        char path[2200];
        size_t n = 0, at;
        char* whole;
        if (entry->d_type != DT_REG) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        whole = read_whole(path, &n);
        for (at = 0; n >= size && at <= n - size; ++at)
            found |= memcmp(whole + at, bytes, size) == 0;
        free(whole);
    }
    closedir(names);
    return found;
}

int main(int argc, char** argv) {
    rpt_error err = RPT_ERROR_INIT;
    place p = place_open(argc, argv);
    rpt_store* never = place_store(&p, "never", RPT_STORE_CREATE);
    rpt_store* forgot = place_store(&p, "forgot", RPT_STORE_CREATE);
    rpt_space *a = place_space(never, "alice"), *b = place_space(forgot, "alice");
    static answer want, got, before;
    char* kept = make_text(40000, 5);
    char* gone = make_text(30000, 9); /* begins as the prompt does: it is what would be retrieved */
    memcpy(gone, "unmistakable beginnings. ", 25);
    remember(a, "kept", kept, 40000);
    remember(b, "gone", gone, 30000);
    remember(b, "kept", kept, 40000);
    ask(&p, a, &want);
    ask(&p, b, &before);
    EXPECT(before.size != want.size || memcmp(before.text, want.text, want.size) != 0);
    EXPECT_OK(rpt_doc_delete(b, "gone", &err));
    ask(&p, b, &got);
    EXPECT(got.size == want.size && memcmp(got.text, want.text, want.size) == 0);
    EXPECT_OK(rpt_store_compact(forgot, NULL, &err));
    ask(&p, b, &got);
    EXPECT(got.size == want.size && memcmp(got.text, want.text, want.size) == 0);
    EXPECT(!folder_holds(place_path(&p, "forgot"), "unmistakable beg", 16));
    rpt_space_close(a);
    rpt_space_close(b);
    EXPECT_OK(rpt_store_close(never, &err));
    EXPECT_OK(rpt_store_close(forgot, &err));
    free(kept);
    free(gone);
    place_close(&p);
    return 0;
}
