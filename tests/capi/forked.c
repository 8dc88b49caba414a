/* After fork the child's handles say so, closing them does nothing, and the parent goes on
 * unharmed. */
#include <sys/wait.h>
#include <unistd.h>

#include "expect.h"

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    rpt_error err = RPT_ERROR_INIT;
    rpt_store* store = place_store(&p, "store", RPT_STORE_CREATE);
    rpt_space* space = place_space(store, "alice");
    rpt_session* session = NULL;
    rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
    rpt_doc* doc = NULL;
    int status = 0;
    pid_t child;
    options.key = "book";
    EXPECT_OK(rpt_session_new(p.model, NULL, &session, &err));
    EXPECT_OK(rpt_session_read(session, "the sea was calm", 16, NULL, &err));
    EXPECT_OK(rpt_doc_begin(space, &options, &doc, &err));
    child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        rpt_store* other = NULL;
        rpt_model_info info = {.struct_size = sizeof info};
        EXPECT_FAILS(rpt_session_read(session, "x", 1, NULL, &err), RPT_ERR_FORKED, "fork");
        EXPECT_FAILS(rpt_doc_append(doc, "x", 1, NULL, &err), RPT_ERR_FORKED, "fork");
        EXPECT_FAILS(rpt_doc_delete(space, "x", &err), RPT_ERR_FORKED, "fork");
        EXPECT_FAILS(rpt_store_sync(store, NULL, &err), RPT_ERR_FORKED, "fork");
        EXPECT_FAILS(rpt_model_get_info(p.model, &info, &err), RPT_ERR_FORKED, "fork");
        EXPECT_FAILS(rpt_store_open(p.env, "x", NULL, &other, &err), RPT_ERR_FORKED, "fork");
        EXPECT(rpt_session_offset(session) == 16);
        rpt_doc_free(doc);
        rpt_session_free(session);
        rpt_space_close(space);
        EXPECT(rpt_store_close(store, NULL) == RPT_OK);
        place_close(&p);
        _exit(0);
    }
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT_OK(rpt_session_read(session, " and a ship came", 16, NULL, &err));
    EXPECT_OK(rpt_doc_append(doc, "the sea was calm", 16, NULL, &err));
    EXPECT_OK(rpt_doc_finish(doc, NULL, NULL, &err));
    rpt_doc_free(doc);
    rpt_session_free(session);
    rpt_space_close(space);
    EXPECT_OK(rpt_store_close(store, &err));
    place_close(&p);
    return 0;
}
