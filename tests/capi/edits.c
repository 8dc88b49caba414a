/* Edits of stored documents, and what keeps a store in order, through the interface alone. */
#include <sys/stat.h>

#include "expect.h"

/* Facts of a document, its hits and the records of its chunks, as one number. */
static uint64_t fingerprint(rpt_space* space, const char* key) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_doc_info info = {.struct_size = sizeof info};
    uint64_t hash = 1469598103934665603u, ordinal;
    EXPECT_OK(rpt_doc_stat(space, key, &info, &err));
    EXPECT(info.flags & RPT_DOC_FINISHED);
    for (ordinal = 0; ordinal < info.chunks; ++ordinal) {
        int32_t part;
        for (part = RPT_CHUNK_TOKENS; part <= RPT_CHUNK_STATES; ++part) {
            unsigned char bytes[8192];
            size_t size = 0, i;
            EXPECT_OK(
                rpt_doc_read_chunk(space, key, ordinal, part, bytes, sizeof bytes, &size, &err));
            EXPECT(size > 0 && size <= sizeof bytes);
            for (i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 1099511628211u;
        }
    }
    return hash ^ info.chunks;
}

static void check_clean(rpt_store* store, int32_t level) {
    rpt_error err = RPT_ERROR_INIT;
    uint64_t damaged = 1;
    EXPECT_OK(rpt_store_check(store, level, NULL, NULL, NULL, &damaged, &err));
    EXPECT(damaged == 0);
}

/* A splice in the middle, a resumed document that grows: as if the last text had been read at once.
 */
static void edits(const place* p) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_store* store = place_store(p, "edits", RPT_STORE_CREATE);
    rpt_space* space = place_space(store, "alice");
    rpt_space* other = place_space(store, "bob");
    rpt_doc* doc = NULL;
    rpt_splice_info info = {.struct_size = sizeof info};
    rpt_segment_info segment = {.struct_size = sizeof segment};
    rpt_doc_info facts = {.struct_size = sizeof facts};
    rpt_hash* hash = rpt_hash_new();
    uint8_t digest[32];
    const size_t size = 60000, at = 30000;
    char* text = make_text(size, 3);
    char* edited = malloc(size + 3000);
    remember(space, "book", text, size);
    EXPECT_OK(rpt_doc_get_segment(space, "book", 1, &segment, &err));
    EXPECT(segment.span.begin > 0 && segment.span.end > segment.span.begin && segment.chunks > 0);
    EXPECT_FAILS(rpt_doc_get_segment(space, "book", 1000, &segment, &err), RPT_ERR_NOT_FOUND,
                 "1000");

    EXPECT_FAILS(rpt_doc_resume(space, "nothing", 0, &doc, &err), RPT_ERR_NOT_FOUND, "nothing");
    EXPECT_OK(rpt_doc_resume(space, "book", 0, &doc, &err));
    EXPECT(rpt_doc_offset(doc) == size);
    EXPECT_FAILS(rpt_doc_splice(doc, 5, 4, "x", 1, NULL, &info, &err), RPT_ERR_ARGUMENT, "60000");
    EXPECT_FAILS(rpt_doc_splice(doc, 0, size + 1, "x", 1, NULL, &info, &err), RPT_ERR_ARGUMENT,
                 "60000");
    EXPECT_FAILS(rpt_doc_splice(doc, 0, 0, "\xff", 1, NULL, &info, &err), RPT_ERR_UTF8, "byte 0");
    EXPECT_OK(rpt_doc_splice(doc, at, at + 7, "an inserted sentence. ", 22, NULL, &info, &err));
    EXPECT(info.looked_at.begin < at && info.looked_at.end > at);
    EXPECT(info.tokens > 0 && info.tokens < 20000);
    EXPECT_OK(rpt_doc_append(doc, "The end.", 8, NULL, &err));
    EXPECT_OK(rpt_doc_finish(doc, NULL, &facts, &err));
    rpt_doc_free(doc);

    memcpy(edited, text, at);
    memcpy(edited + at, "an inserted sentence. ", 22);
    memcpy(edited + at + 22, text + at + 7, size - at - 7);
    memcpy(edited + size + 15, "The end.", 8);
    remember(other, "book", edited, size + 23);
    EXPECT(fingerprint(space, "book") == fingerprint(other, "book"));
    rpt_hash_add(hash, edited, size + 23);
    rpt_hash_get(hash, digest);
    rpt_hash_free(hash);
    EXPECT(memcmp(digest, facts.content_hash, sizeof digest) == 0);
    EXPECT(facts.revision == 2);
    check_clean(store, RPT_CHECK_FULL);
    check_clean(store, RPT_CHECK_DEEP);
    free(text);
    free(edited);
    rpt_space_close(space);
    rpt_space_close(other);
    EXPECT_OK(rpt_store_close(store, &err));
}

/* Equal texts of one owner are kept once; nothing is shared with another. */
static void sharing(const place* p) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_store* store = place_store(p, "sharing", RPT_STORE_CREATE);
    rpt_space* space = place_space(store, "alice");
    rpt_space* other = place_space(store, "bob");
    rpt_store_stats one = {.struct_size = sizeof one}, two = {.struct_size = sizeof two};
    char* text = make_text(20000, 4);
    remember(space, "a", text, 20000);
    EXPECT_OK(rpt_store_get_stats(store, &one, &err));
    remember(space, "b", text, 20000);
    EXPECT_OK(rpt_store_get_stats(store, &two, &err));
    EXPECT(one.chunks == two.chunks && two.document_chunks == 2 * one.chunks);
    remember(other, "a", text, 20000);
    EXPECT_OK(rpt_store_get_stats(store, &two, &err));
    EXPECT(two.chunks == 2 * one.chunks);
    EXPECT_OK(rpt_doc_delete(space, "a", &err));
    fingerprint(space, "b");
    free(text);
    rpt_space_close(space);
    rpt_space_close(other);
    EXPECT_OK(rpt_store_close(store, &err));
}

static int32_t count_finding(void* user, const rpt_finding* finding) {
    if (finding->severity == RPT_FINDING_DAMAGE) ++*(int*)user;
    EXPECT(finding->text.size > 0 && finding->text.data[finding->text.size - 1] != '\n');
    return 0;
}

static int32_t fail_at_once(void* user, const rpt_finding* finding) {
    (void)user;
    (void)finding;
    return -1;
}

/* Budget, compaction, backup, restore, check. */
static void administration(const place* p) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_store* store = place_store(p, "care", RPT_STORE_CREATE);
    rpt_store* copy;
    rpt_space* space = place_space(store, "alice");
    rpt_store_stats before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
    char path[4][1100];
    uint64_t want, damaged = 0;
    size_t size = 0, i;
    char* bytes;
    int told = 0;
    char* text = make_text(200000, 5);
    for (i = 0; i < 4; ++i) snprintf(path[i], sizeof path[i], "%s/copy%zu", p->folder, i);
    remember(space, "book", text, 200000);
    remember(space, "gone", text + 100000, 90000);
    want = fingerprint(space, "book");
    EXPECT_OK(rpt_store_backup(store, path[0], NULL, &err));
    EXPECT_FAILS(rpt_store_backup(store, path[0], NULL, &err), RPT_ERR_EXISTS, "copy0");
    EXPECT_OK(rpt_doc_delete(space, "gone", &err));
    EXPECT_OK(rpt_store_get_stats(store, &before, &err));
    EXPECT_OK(rpt_store_compact(store, NULL, &err));
    EXPECT_OK(rpt_store_get_stats(store, &after, &err));
    EXPECT(after.disk_bytes < before.disk_bytes && after.reclaimable_bytes == 0);
    EXPECT(fingerprint(space, "book") == want);
    check_clean(store, RPT_CHECK_QUICK);
    EXPECT_FAILS(rpt_store_check(store, 7, NULL, NULL, NULL, NULL, &err), RPT_ERR_ARGUMENT, "7");

    EXPECT_FAILS(rpt_store_set_budget(store, 1000, NULL, &err), RPT_ERR_ARGUMENT, "1000");
    EXPECT_FAILS(rpt_store_set_budget(store, 1 << 20, NULL, &err), RPT_ERR_NO_SPACE, "budget");
    EXPECT_OK(rpt_store_set_budget(store, 1 << 25, NULL, &err));
    EXPECT_OK(rpt_space_set_budget(space, 1 << 24, NULL, &err));
    EXPECT_OK(rpt_store_get_stats(store, &after, &err));
    EXPECT(after.budget_bytes == 1 << 25);
    EXPECT_OK(rpt_store_set_budget(store, 0, NULL, &err));

    EXPECT_OK(rpt_store_restore(p->env, path[0], path[1], NULL, &err));
    EXPECT_FAILS(rpt_store_restore(p->env, path[0], path[1], NULL, &err), RPT_ERR_EXISTS, "copy1");
    copy = place_store(p, "copy1", 0);
    rpt_space_close(space);
    space = place_space(copy, "alice");
    EXPECT(fingerprint(space, "book") == want);
    fingerprint(space, "gone");
    rpt_space_close(space);
    EXPECT_OK(rpt_store_close(copy, &err));

    /* A byte of a text that flips is found, and such a copy is not restored. */
    snprintf(path[2], sizeof path[2], "%s/copy0/store.sqlite", p->folder);
    bytes = read_whole(path[2], &size);
    for (i = size / 2; i < size - 4096; i += 4096) bytes[i + 2000] ^= 1;
    write_whole(path[2], bytes, size);
    EXPECT_FAILS(rpt_store_restore(p->env, path[0], path[3], NULL, &err), RPT_ERR_CORRUPT, "");
    copy = place_store(p, "copy0", RPT_STORE_READ_ONLY);
    EXPECT_OK(rpt_store_check(copy, RPT_CHECK_FULL, NULL, count_finding, &told, &damaged, &err));
    EXPECT(damaged > 0 && (uint64_t)told == damaged);
    EXPECT_FAILS(rpt_store_check(copy, RPT_CHECK_FULL, NULL, fail_at_once, NULL, NULL, &err),
                 RPT_ERR_CALLBACK, "");
    EXPECT_OK(rpt_store_close(copy, &err));
    EXPECT_OK(rpt_store_upgrade(p->env, path[1], NULL, &err));
    EXPECT_FAILS(rpt_store_upgrade(p->env, path[3], NULL, &err), RPT_ERR_NOT_FOUND, "copy3");
    free(bytes);
    free(text);
    EXPECT_OK(rpt_store_close(store, &err));
}

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    edits(&p);
    sharing(&p);
    administration(&p);
    place_close(&p);
    return 0;
}
