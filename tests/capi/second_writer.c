/* One process writes: a second one is told BUSY, may read, and writes once the first is gone. */
#include <sys/wait.h>
#include <unistd.h>

#include "expect.h"

/* Runs this program again, with a role, as a process of its own. */
static int run_other(char** argv, const char* role) {
    int status = 0;
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        execl(argv[0], argv[0], argv[1], argv[2], role, (char*)NULL);
        _exit(127);
    }
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void be_refused(const place* p) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_store_options options = RPT_STORE_OPTIONS_INIT;
    rpt_store* store = NULL;
    rpt_space* space = NULL;
    rpt_doc_info info = {.struct_size = sizeof info};
    options.model = p->model;
    EXPECT_FAILS(rpt_store_open(p->env, place_path(p, "store"), &options, &store, &err),
                 RPT_ERR_BUSY, "store");
    EXPECT(err.flags & RPT_ERROR_RETRYABLE);
    EXPECT_FAILS(rpt_store_destroy(p->env, place_path(p, "store"), &err), RPT_ERR_BUSY, "");
    options.flags = RPT_STORE_READ_ONLY;
    EXPECT_OK(rpt_store_open(p->env, place_path(p, "store"), &options, &store, &err));
    EXPECT_OK(rpt_space_open(store, "alice", "notes", 0, &space, &err));
    EXPECT_OK(rpt_doc_stat(space, "book", &info, &err));
    rpt_space_close(space);
    EXPECT_OK(rpt_store_close(store, &err));
}

static void write_more(const place* p) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_store* store = place_store(p, "store", 0);
    rpt_space* space = place_space(store, "alice");
    remember(space, "second", "the stars over the water", 24);
    rpt_space_close(space);
    EXPECT_OK(rpt_store_close(store, &err));
}

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    rpt_error err = RPT_ERROR_INIT;
    if (argc == 4 && strcmp(argv[3], "refused") == 0) {
        be_refused(&p);
    } else if (argc == 4) {
        write_more(&p);
    } else {
        rpt_store* store = place_store(&p, "store", RPT_STORE_CREATE);
        rpt_space* space = place_space(store, "alice");
        rpt_doc_info info = {.struct_size = sizeof info};
        remember(space, "book", "the sea was calm", 16);
        EXPECT(run_other(argv, "refused") == 0);
        rpt_space_close(space);
        EXPECT_OK(rpt_store_close(store, &err));
        EXPECT(run_other(argv, "write") == 0);
        store = place_store(&p, "store", 0);
        space = place_space(store, "alice");
        EXPECT_OK(rpt_doc_stat(space, "second", &info, &err));
        rpt_space_close(space);
        EXPECT_OK(rpt_store_close(store, &err));
    }
    place_close(&p);
    return 0;
}
