/* No room on the disk: the flush fails, nothing is half-written, and with room again the same call
 * succeeds. Uses a small tmpfs where the process may mount one, else a limit on the size of files.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "expect.h"

static int mount_small(const char* folder) {
    mkdir(folder, 0755);
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return 0;
    return mount("tmpfs", folder, "tmpfs", 0, "size=1m") == 0;
}

int main(int argc, char** argv) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
    rpt_doc_info info = {.struct_size = sizeof info};
    struct rlimit limit = {600000, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    rpt_doc* doc = NULL;
    char folder[1300], *text = make_text(400000, 8);
    int mounted;
    rpt_status status = RPT_OK;
    size_t at = 0;
    place p;
    rpt_store* store;
    rpt_space* space;
    EXPECT(argc >= 3);
    snprintf(folder, sizeof folder, "%s/small", argv[2]);
    mounted = mount_small(
        folder); /* before the library starts threads: a mount namespace is a thread's */
    p = place_open(argc, argv);
    store = place_store(&p, "small/store", RPT_STORE_CREATE);
    space = place_space(store, "alice");
    remember(space, "kept", text, 1000);
    if (!mounted) {
        signal(SIGXFSZ, SIG_IGN); /* the host's business: the library changes no signal handlers */
        EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    }
    options.key = "large";
    EXPECT_OK(rpt_doc_begin(space, &options, &doc, &err));
    while (status == RPT_OK && at < 400000) {
        EXPECT_OK(rpt_doc_append(doc, text + at, 20000, NULL, &err));
        at += 20000;
        status = rpt_doc_flush(doc, 0, NULL, NULL, &err);
    }
    if (status != RPT_ERR_NO_SPACE && !(status == RPT_ERR_IO && !mounted)) {
        fprintf(stderr, "expected NO_SPACE, got %s %s\n", rpt_status_name(status), err.message);
        return 1;
    }
    EXPECT_OK(rpt_doc_stat(space, "kept", &info, &err)); /* what was there is there */
    if (mounted) {
        EXPECT(mount(NULL, folder, NULL, MS_REMOUNT, "size=64m") == 0);
    } else {
        EXPECT(setrlimit(RLIMIT_FSIZE, &none) == 0);
    }
    EXPECT_OK(rpt_doc_flush(doc, 0, NULL, NULL, &err));
    EXPECT_OK(rpt_doc_finish(doc, NULL, &info, &err));
    EXPECT(info.bytes_accepted == at && info.bytes_searchable == at);
    rpt_doc_free(doc);
    rpt_space_close(space);
    EXPECT_OK(rpt_store_close(store, &err));
    place_close(&p);
    free(text);
    return 0;
}
