/* Stores that are another model's, damaged, newer, or no stores: the exact status, never a crash.
 */
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "expect.h"

static void make_store(const place* p, const char* name, const char* text, size_t size) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_store* store = place_store(p, name, RPT_STORE_CREATE | RPT_STORE_EXCL);
    rpt_space* space = place_space(store, "alice");
    remember(space, "book", text, size);
    rpt_space_close(space);
    EXPECT_OK(rpt_store_close(store, &err));
}

/* Opens and looks into every corner; the first failure, or RPT_OK. */
static rpt_status look_everywhere(const place* p, const char* path, const char* text,
                                  rpt_error* err) {
    rpt_store_options options = RPT_STORE_OPTIONS_INIT;
    rpt_store* store = NULL;
    rpt_space* space = NULL;
    rpt_hits* hits = NULL;
    rpt_chunk_info chunk = {.struct_size = sizeof chunk};
    rpt_doc_info info = {.struct_size = sizeof info};
    char buffer[4096];
    size_t got;
    uint64_t i;
    rpt_status status;
    options.model = p->model;
    status = rpt_store_open(p->env, path, &options, &store, err);
    if (!status) status = rpt_space_open(store, "alice", "notes", 0, &space, err);
    if (!status) status = rpt_doc_stat(space, "book", &info, err);
    if (!status) status = rpt_doc_read(space, "book", 0, buffer, sizeof buffer, &got, err);
    for (i = 0; !status && i < info.chunks; ++i)
        status = rpt_doc_get_chunk(space, "book", i, &chunk, err);
    if (!status) status = rpt_retrieve(&space, 1, text, 200, NULL, NULL, &hits, err);
    rpt_hits_free(hits);
    rpt_space_close(space);
    rpt_store_close(store, NULL);
    return status;
}

static void check_damage(const place* p, const char* text) {
    rpt_error err = RPT_ERROR_INIT;
    size_t size, at;
    char database[1300], *bytes;
    int failures = 0, tried = 0;
    make_store(p, "damaged", text, 3000);
    snprintf(database, sizeof database, "%s", place_path(p, "damaged/store.sqlite"));
    bytes = read_whole(database, &size);
    EXPECT(look_everywhere(p, place_path(p, "damaged"), text, &err) == RPT_OK);
    for (at = 1; at < 8; ++at) {
        write_whole(database, bytes, size * at / 8);
        EXPECT_FAILS(look_everywhere(p, place_path(p, "damaged"), text, &err), RPT_ERR_CORRUPT, "");
    }
    /* one byte anywhere: either harmless (free space) or CORRUPT, never something else */
    for (at = 5; at < size; at += size / 97 + 1) {
        rpt_status status;
        bytes[at] = (char)(bytes[at] ^ 0x40);
        write_whole(database, bytes, size);
        bytes[at] = (char)(bytes[at] ^ 0x40);
        status = look_everywhere(p, place_path(p, "damaged"), text, &err);
        ++tried;
        if (status != RPT_OK) {
            ++failures;
            if (status != RPT_ERR_CORRUPT && status != RPT_ERR_NOT_FOUND &&
                status != RPT_ERR_VERSION && status != RPT_ERR_MODEL_MISMATCH) {
                fprintf(stderr, "flip at %zu: %s %s\n", at, rpt_status_name(status), err.message);
                exit(1);
            }
        }
    }
    EXPECT(failures > tried / 8);
    /* a newer format: SQLite keeps the number that the store sets in bytes 60 to 63 of its file */
    bytes[63] = (char)(bytes[63] + 2);
    write_whole(database, bytes, size);
    bytes[63] = (char)(bytes[63] - 2);
    EXPECT_FAILS(look_everywhere(p, place_path(p, "damaged"), text, &err), RPT_ERR_VERSION,
                 "damaged");
    /* an older format is told with what to do */
    bytes[63] = (char)(bytes[63] - 1);
    write_whole(database, bytes, size);
    bytes[63] = (char)(bytes[63] + 1);
    EXPECT_FAILS(look_everywhere(p, place_path(p, "damaged"), text, &err), RPT_ERR_VERSION,
                 "rpt memory upgrade");
    write_whole(database, "not a database at all, but quite long enough to be read as one", 62);
    EXPECT_FAILS(look_everywhere(p, place_path(p, "damaged"), text, &err), RPT_ERR_CORRUPT,
                 "damaged");
    free(bytes);
}

static void check_read_only(const place* p, const char* text) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_store_options options = RPT_STORE_OPTIONS_INIT;
    rpt_doc_options doc_options = RPT_DOC_OPTIONS_INIT;
    rpt_store* store = NULL;
    rpt_space* space = NULL;
    rpt_doc* doc = NULL;
    make_store(p, "quiet", text, 1000);
    options.model = p->model;
    options.flags = RPT_STORE_READ_ONLY;
    EXPECT_OK(rpt_store_open(p->env, place_path(p, "quiet"), &options, &store, &err));
    EXPECT_OK(rpt_space_open(store, "alice", "notes", 0, &space, &err));
    doc_options.key = "new";
    EXPECT_FAILS(rpt_doc_begin(space, &doc_options, &doc, &err), RPT_ERR_READ_ONLY, "");
    EXPECT_FAILS(rpt_doc_delete(space, "book", &err), RPT_ERR_READ_ONLY, "");
    EXPECT_FAILS(rpt_space_drop(store, "alice", "notes", NULL, &err), RPT_ERR_READ_ONLY, "");
    rpt_space_close(space);
    EXPECT_OK(rpt_store_close(store, &err));
}

/* A directory without permission to write; root ignores permissions and becomes nobody meanwhile. */
static void check_unwritable_directory(const place* p) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_store_options options = RPT_STORE_OPTIONS_INIT;
    rpt_store* store = NULL;
    rpt_status status;
    const int root = geteuid() == 0;
    EXPECT(mkdir(place_path(p, "locked"), 0555) == 0);
    if (root) EXPECT(seteuid(65534) == 0);
    options.model = p->model;
    options.flags = RPT_STORE_CREATE;
    status = rpt_store_open(p->env, place_path(p, "locked/store"), &options, &store, &err);
    EXPECT(status == RPT_ERR_READ_ONLY || status == RPT_ERR_IO);
    EXPECT(store == NULL && err.os_error != 0 && strstr(err.message, "locked"));
    if (!root) return;
    EXPECT(seteuid(0) == 0);
    /* Whose user changed cannot be looked at; the leak sanitizer looks at the end. */
    EXPECT(prctl(PR_SET_DUMPABLE, 1) == 0);
}

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    rpt_error err = RPT_ERROR_INIT;
    rpt_store_options options = RPT_STORE_OPTIONS_INIT;
    rpt_model* other = NULL;
    rpt_store* store = NULL;
    rpt_space* space = NULL;
    rpt_doc_options doc_options = RPT_DOC_OPTIONS_INIT;
    rpt_doc* doc = NULL;
    rpt_hits* hits = NULL;
    char* text = make_text(3000, 3);
    EXPECT(argc >= 4);

    options.model = p.model;
    EXPECT_FAILS(rpt_store_open(p.env, place_path(&p, "absent"), &options, &store, &err),
                 RPT_ERR_NOT_FOUND, "absent");
    EXPECT(store == NULL);
    make_store(&p, "store", text, 1000);
    options.flags = RPT_STORE_CREATE | RPT_STORE_EXCL;
    EXPECT_FAILS(rpt_store_open(p.env, place_path(&p, "store"), &options, &store, &err),
                 RPT_ERR_EXISTS, "store");

    /* another model: both fingerprints in the message */
    EXPECT_OK(rpt_model_open(p.env, argv[3], NULL, NULL, &other, &err));
    {
        rpt_model_info a = {.struct_size = sizeof a}, b = {.struct_size = sizeof b};
        char hex[2][9];
        EXPECT_OK(rpt_model_get_info(p.model, &a, &err));
        EXPECT_OK(rpt_model_get_info(other, &b, &err));
        snprintf(hex[0], 9, "%02x%02x%02x%02x", a.fingerprint[0], a.fingerprint[1],
                 a.fingerprint[2], a.fingerprint[3]);
        snprintf(hex[1], 9, "%02x%02x%02x%02x", b.fingerprint[0], b.fingerprint[1],
                 b.fingerprint[2], b.fingerprint[3]);
        options.flags = 0;
        options.model = other;
        EXPECT_FAILS(rpt_store_open(p.env, place_path(&p, "store"), &options, &store, &err),
                     RPT_ERR_MODEL_MISMATCH, hex[0]);
        EXPECT(strstr(err.message, hex[1]));
    }
    rpt_model_close(other);

    /* no model: administration only */
    EXPECT_OK(rpt_store_open(p.env, place_path(&p, "store"), NULL, &store, &err));
    EXPECT_OK(rpt_space_open(store, "alice", "notes", 0, &space, &err));
    doc_options.key = "new";
    EXPECT_FAILS(rpt_doc_begin(space, &doc_options, &doc, &err), RPT_ERR_STATE, "without a model");
    EXPECT_FAILS(rpt_retrieve(&space, 1, "x", 1, NULL, NULL, &hits, &err), RPT_ERR_STATE,
                 "without a model");
    EXPECT_FAILS(rpt_store_destroy(p.env, place_path(&p, "store"), &err), RPT_ERR_BUSY, "");
    rpt_space_close(space);
    EXPECT_OK(rpt_store_close(store, &err));

    /* no store is deleted that is none */
    EXPECT(mkdir(place_path(&p, "photos"), 0755) == 0);
    write_whole(place_path(&p, "photos/me.jpg"), "jpeg", 4);
    EXPECT(rpt_store_destroy(p.env, place_path(&p, "photos"), &err) < 0);
    EXPECT(access(place_path(&p, "photos/me.jpg"), R_OK) == 0);

    options.model = NULL;
    options.flags = RPT_STORE_CREATE;
    EXPECT_FAILS(rpt_store_open(p.env, place_path(&p, "new"), &options, &store, &err),
                 RPT_ERR_ARGUMENT, "model");
    options.flags = RPT_STORE_EXCL;
    EXPECT_FAILS(rpt_store_open(p.env, place_path(&p, "new"), &options, &store, &err),
                 RPT_ERR_ARGUMENT, "CREATE");

    check_read_only(&p, text);
    check_damage(&p, text);
    free(text);
    check_unwritable_directory(&p);
    place_close(&p);
    return 0;
}
