/* Every function of the interface with NULL for everything, and with garbage sizes: an answer,
 * never a crash. argv[1] is the list of symbols: a function that is missing here fails the test. */
#include <rpt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rpt_error* error_for_round(int round, rpt_error* err) {
    static const uint32_t sizes[] = {0, 47, 48, 100, 65536 + 1, 0xffffffffu};
    memset(err, 0x5a, sizeof *err);
    if (round == 0) return NULL;
    if (round <= 6) err->struct_size = sizes[round - 1];
    if (round == 7) err->struct_size = sizeof *err;
    return err;
}

/* A record whose size is garbage and whose body is noise, in memory large enough for nothing more
 * than itself. */
static void* garbage(int round) {
    static uint64_t room[8][64];
    static const uint32_t sizes[] = {0, 1, 7, 11, 65537, 0xfffffff0u, 3, 0x80000000u};
    memset(room[round % 8], 0xa5, sizeof room[0]);
    memcpy(room[round % 8], &sizes[round % 8], sizeof(uint32_t));
    return round % 2 ? NULL : room[round % 8];
}

static char called[128][40];
static int n_called;

#define NAME(function) (strcpy(called[n_called++ % 128], #function), function)
/* Must fail; what it fails with is other tests' business. */
#define REFUSED(function, ...)                                                         \
    do {                                                                               \
        if (NAME(function)(__VA_ARGS__, err) >= 0) {                                   \
            fprintf(stderr, "%s accepted nothing at all in round %d\n", #function, r); \
            exit(1);                                                                   \
        }                                                                              \
    } while (0)

static void call_everything(int r) {
    rpt_error storage, *err = error_for_round(r, &storage);
    void* junk = garbage(r);
    rpt_cancel* token;
    n_called = 0;
    NAME(rpt_version_number)();
    NAME(rpt_version_string)();
    NAME(rpt_build_info)();
    NAME(rpt_status_name)(r * 1000003 - 2147483000);
    REFUSED(rpt_env_open, junk, NULL);
    NAME(rpt_env_close)(NULL);
    token = NAME(rpt_cancel_new)();
    NAME(rpt_cancel_free)(token);
    NAME(rpt_cancel_request)(NULL);
    REFUSED(rpt_model_open, NULL, NULL, junk, junk, NULL);
    REFUSED(rpt_model_get_info, NULL, junk);
    REFUSED(rpt_model_identify, NULL, junk, junk, junk);
    REFUSED(rpt_model_import, NULL, junk, junk, junk, junk);
    REFUSED(rpt_model_make_memory, NULL, junk, junk, junk);
    REFUSED(rpt_model_measure, NULL, junk, junk);
    NAME(rpt_model_close)(NULL);
    REFUSED(rpt_store_open, NULL, NULL, junk, NULL);
    REFUSED(rpt_store_sync, NULL, junk);
    if (NAME(rpt_store_close)(NULL, err) != RPT_OK) exit(1);
    REFUSED(rpt_store_destroy, NULL, NULL);
    REFUSED(rpt_store_get_stats, NULL, junk);
    REFUSED(rpt_store_rebuild_index, NULL, junk);
    REFUSED(rpt_store_set_budget, NULL, 5, junk);
    REFUSED(rpt_store_compact, NULL, junk);
    REFUSED(rpt_store_backup, NULL, NULL, junk);
    REFUSED(rpt_store_restore, NULL, NULL, NULL, junk);
    REFUSED(rpt_store_upgrade, NULL, NULL, junk);
    REFUSED(rpt_store_check, NULL, 99, junk, NULL, NULL, NULL);
    REFUSED(rpt_space_set_budget, NULL, 5, junk);
    REFUSED(rpt_doc_resume, NULL, NULL, 0xffffffffu, NULL);
    REFUSED(rpt_doc_splice, NULL, 9, 3, NULL, 17, junk, junk);
    REFUSED(rpt_doc_get_segment, NULL, NULL, 9, junk);
    REFUSED(rpt_doc_read_chunk, NULL, NULL, 9, 99, NULL, 17, NULL);
    rpt_hash_free(NULL);
    NAME(rpt_hash_add)(NULL, NULL, 9);
    NAME(rpt_hash_get)(NULL, NULL);
    rpt_hash* hash = NAME(rpt_hash_new)();
    NAME(rpt_hash_free)(hash);
    REFUSED(rpt_store_list_spaces, NULL, NULL, NULL);
    REFUSED(rpt_space_open, NULL, NULL, NULL, 0xffffffffu, NULL);
    REFUSED(rpt_space_drop, NULL, NULL, NULL, junk);
    NAME(rpt_space_close)(NULL);
    REFUSED(rpt_doc_begin, NULL, junk, NULL);
    REFUSED(rpt_doc_append, NULL, NULL, 17, junk);
    if (NAME(rpt_doc_offset)(NULL) != 0) exit(1);
    REFUSED(rpt_doc_flush, NULL, 0xffffffffu, junk, junk);
    REFUSED(rpt_doc_finish, NULL, junk, junk);
    NAME(rpt_doc_free)(NULL);
    REFUSED(rpt_doc_delete, NULL, NULL);
    REFUSED(rpt_doc_stat, NULL, NULL, junk);
    REFUSED(rpt_doc_read, NULL, NULL, 0, NULL, 9, NULL);
    REFUSED(rpt_doc_get_field, NULL, NULL, 99, NULL, 9, NULL);
    REFUSED(rpt_doc_list, NULL, NULL, NULL, NULL);
    REFUSED(rpt_doc_get_chunk, NULL, NULL, 0, junk);
    REFUSED(rpt_retrieve, NULL, 3, NULL, 9, junk, junk, NULL);
    if (NAME(rpt_hits_count)(NULL) != 0) exit(1);
    REFUSED(rpt_hits_get, NULL, 0, junk);
    NAME(rpt_hits_free)(NULL);
    REFUSED(rpt_session_new, NULL, junk, NULL);
    REFUSED(rpt_session_read, NULL, NULL, 9, junk);
    REFUSED(rpt_session_rewind, NULL, 9, junk);
    if (NAME(rpt_session_offset)(NULL) != 0) exit(1);
    REFUSED(rpt_session_retrieve, NULL, junk, junk, NULL);
    NAME(rpt_session_free)(NULL);
    REFUSED(rpt_session_generate, NULL, junk, junk, NULL, NULL, junk);
    REFUSED(rpt_session_score, NULL, NULL, 9, 0xffffffffu, junk, NULL, NULL, junk);
}

int main(int argc, char** argv) {
    char line[80];
    int r, n = 0;
    FILE* list = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (!list) return 2;
    for (r = 0; r < 64; ++r) call_everything(r % 8);
    while (fgets(line, sizeof line, list)) {
        int i, found = 0;
        line[strcspn(line, "\n")] = '\0';
        for (i = 0; i < n_called; ++i) found |= strcmp(called[i], line) == 0;
        if (!found) return fprintf(stderr, "not called by this test: %s\n", line), 1;
        ++n;
    }
    fclose(list);
    return n == n_called ? 0 : 1;
}
