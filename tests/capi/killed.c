/* A writer is killed after each of its flushes in turn: what the next process finds and how it goes
 * on is exactly what a writer that ended in peace would have left. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expect.h"

enum { FLUSHES = 6, PIECE = 700 };

/* Writes `flushes` pieces, each with its flush, and one more that is not flushed; then dies, or
 * closes. */
static void write_pieces(const place* p, const char* name, int flushes, int in_peace) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
    rpt_store* store = place_store(p, name, RPT_STORE_CREATE);
    rpt_space* space = place_space(store, "alice");
    rpt_doc* doc = NULL;
    char* text = make_text((FLUSHES + 1) * PIECE, 7);
    int i;
    options.key = "book";
    EXPECT_OK(rpt_doc_begin(space, &options, &doc, &err));
    for (i = 0; i < flushes; ++i) {
        EXPECT_OK(rpt_doc_append(doc, text + i * PIECE, PIECE, NULL, &err));
        EXPECT_OK(rpt_doc_flush(doc, i % 2 ? RPT_FLUSH_TAIL : 0, NULL, NULL, &err));
    }
    EXPECT_OK(rpt_doc_append(doc, text + flushes * PIECE, PIECE, NULL, &err));
    if (!in_peace) raise(SIGKILL);
    rpt_doc_free(doc);
    rpt_space_close(space);
    EXPECT_OK(rpt_store_close(store, &err));
    free(text);
}

/* This program again, as a process of its own; true if it ended as it should. */
static int run_writer(char** argv, const char* role, const char* name, int flushes) {
    int status = 0;
    char count[16];
    pid_t child;
    snprintf(count, sizeof count, "%d", flushes);
    child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        execl(argv[0], argv[0], argv[1], argv[2], role, name, count, (char*)NULL);
        _exit(127);
    }
    EXPECT(waitpid(child, &status, 0) == child);
    if (strcmp(role, "killed") == 0) return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* What a reader gets from the store: facts, hits, and a greedy continuation, as one text. */
static void ask(const place* p, const char* name, answer* out) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_session_options with = RPT_SESSION_OPTIONS_INIT;
    rpt_generate_options generate = RPT_GENERATE_OPTIONS_INIT;
    rpt_doc_info info = {.struct_size = sizeof info};
    rpt_store* store = place_store(p, name, 0);
    rpt_space* space = place_space(store, "alice");
    rpt_session* session = NULL;
    rpt_hits* hits = NULL;
    char* prompt = make_text(300, 9);
    size_t i;
    EXPECT_OK(rpt_doc_stat(space, "book", &info, &err));
    out->size = (size_t)snprintf(out->text, sizeof out->text, "%llu bytes, %llu chunks\n",
                                 (unsigned long long)info.bytes_searchable,
                                 (unsigned long long)info.chunks);
    EXPECT_OK(rpt_retrieve(&space, 1, prompt, 300, NULL, NULL, &hits, &err));
    EXPECT(rpt_hits_count(hits) > 0);
    for (i = 0; i < rpt_hits_count(hits); ++i) {
        rpt_hit hit = {.struct_size = sizeof hit};
        EXPECT_OK(rpt_hits_get(hits, i, &hit, &err));
        out->size +=
            (size_t)snprintf(out->text + out->size, sizeof out->text - out->size, "%a %llu-%llu\n",
                             (double)hit.score, (unsigned long long)hit.span.begin,
                             (unsigned long long)hit.span.end);
    }
    with.spaces = &space;
    with.n_spaces = 1;
    generate.max_tokens = 40;
    EXPECT_OK(rpt_session_new(p->model, &with, &session, &err));
    EXPECT_OK(rpt_session_read(session, prompt, 300, NULL, &err));
    EXPECT_OK(rpt_session_generate(session, &generate, NULL, add_text, out, NULL, &err));
    rpt_session_free(session);
    rpt_hits_free(hits);
    rpt_space_close(space);
    EXPECT_OK(rpt_store_close(store, &err));
    free(prompt);
}

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    int flushes;
    if (argc == 6) {
        write_pieces(&p, argv[4], atoi(argv[5]), strcmp(argv[3], "peace") == 0);
        place_close(&p);
        return 0;
    }
    for (flushes = 1; flushes <= FLUSHES; ++flushes) {
        static answer killed, peace;
        char name[2][32];
        snprintf(name[0], sizeof name[0], "killed%d", flushes);
        snprintf(name[1], sizeof name[1], "peace%d", flushes);
        EXPECT(run_writer(argv, "killed", name[0], flushes));
        EXPECT(run_writer(argv, "peace", name[1], flushes));
        ask(&p, name[0], &killed);
        ask(&p, name[1], &peace);
        EXPECT(killed.size == peace.size && memcmp(killed.text, peace.text, peace.size) == 0);
    }
    place_close(&p);
    return 0;
}
