/* UTF-8, keys, empty documents: what is accepted and what exactly is refused. */
#include "expect.h"

static rpt_status begin(rpt_space* space, const char* key, uint32_t flags, rpt_doc** doc,
                        rpt_error* err) {
    rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
    options.key = key;
    options.flags = flags;
    return rpt_doc_begin(space, &options, doc, err);
}

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    rpt_error err = RPT_ERROR_INIT;
    rpt_store* store = place_store(&p, "store", RPT_STORE_CREATE);
    rpt_space *space = place_space(store, "alice"), *other = NULL;
    rpt_doc *doc = NULL, *second = NULL;
    rpt_doc_info info = {.struct_size = sizeof info};
    rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
    rpt_session* session = NULL;
    rpt_score score = {.struct_size = sizeof score};
    rpt_generate_options generate = RPT_GENERATE_OPTIONS_INIT;
    rpt_hits* hits = NULL;
    char key[1025];
    char buffer[64];
    size_t got;

    /* invalid UTF-8: refused with the offset in the document, nothing taken, the writer goes on */
    EXPECT_OK(begin(space, "utf8", 0, &doc, &err));
    EXPECT_FAILS(begin(space, "utf8", 0, &second, &err), RPT_ERR_BUSY, "utf8");
    EXPECT(err.flags & RPT_ERROR_RETRYABLE);
    EXPECT_OK(rpt_doc_append(doc, "sea \xc3", 5, NULL, &err));
    EXPECT_OK(rpt_doc_append(doc, "\xa9 calm", 6, NULL, &err));
    EXPECT_FAILS(rpt_doc_append(doc,
                                "abc\xff"
                                "def",
                                7, NULL, &err),
                 RPT_ERR_UTF8, "");
    EXPECT(err.offset == 14 && rpt_doc_offset(doc) == 11);
    EXPECT_OK(rpt_doc_append(doc, "\xf0\x9f\x90", 3, NULL, &err));
    EXPECT_FAILS(rpt_doc_finish(doc, NULL, &info, &err), RPT_ERR_UTF8, "");
    EXPECT(err.offset == 11);
    EXPECT_OK(rpt_doc_append(doc, "\x8b", 1, NULL, &err));
    EXPECT_OK(rpt_doc_finish(doc, NULL, &info, &err));
    EXPECT(info.bytes_accepted == 15 && info.bytes_searchable == 15);
    /* a finished writer is in nobody's way, freed or not */
    EXPECT_OK(rpt_doc_resume(space, "utf8", 0, &second, &err));
    rpt_doc_free(doc);
    EXPECT_FAILS(begin(space, "utf8", RPT_DOC_REPLACE, &doc, &err), RPT_ERR_BUSY, "utf8");
    rpt_doc_free(second);
    second = NULL;

    /* lossy: spans and stored bytes are the original's */
    EXPECT_OK(begin(space, "lossy", RPT_DOC_LOSSY_UTF8, &doc, &err));
    EXPECT_OK(rpt_doc_append(doc, "sea\xff\xfe calm", 10, NULL, &err));
    EXPECT_OK(rpt_doc_finish(doc, NULL, &info, &err));
    EXPECT(info.bytes_searchable == 10);
    rpt_doc_free(doc);
    EXPECT_OK(rpt_doc_read(space, "lossy", 0, buffer, sizeof buffer, &got, &err));
    EXPECT(got == 10 && memcmp(buffer, "sea\xff\xfe calm", 10) == 0);

    /* text may hold NUL bytes */
    remember(space, "nul", "sea\0calm", 8);
    EXPECT_OK(rpt_doc_read(space, "nul", 0, buffer, sizeof buffer, &got, &err));
    EXPECT(got == 8 && memcmp(buffer, "sea\0calm", 8) == 0);

    /* an empty document is a document */
    EXPECT_OK(begin(space, "empty", 0, &doc, &err));
    EXPECT_OK(rpt_doc_append(doc, NULL, 0, NULL, &err));
    EXPECT_OK(rpt_doc_finish(doc, NULL, &info, &err));
    EXPECT(info.bytes_accepted == 0 && info.chunks == 0 && (info.flags & RPT_DOC_FINISHED));
    rpt_doc_free(doc);
    EXPECT_OK(rpt_doc_stat(space, "empty", &info, &err));

    /* discarded text */
    EXPECT_OK(begin(space, "discarded", RPT_DOC_DISCARD_TEXT, &doc, &err));
    EXPECT_OK(rpt_doc_append(doc, "the sea was calm and a ship came", 32, NULL, &err));
    EXPECT_OK(rpt_doc_finish(doc, NULL, &info, &err));
    rpt_doc_free(doc);
    EXPECT_FAILS(rpt_doc_read(space, "discarded", 0, buffer, sizeof buffer, &got, &err),
                 RPT_ERR_UNSUPPORTED, "");

    /* keys */
    memset(key, 'k', sizeof key);
    key[1024] = '\0';
    EXPECT_FAILS(begin(space, key, 0, &doc, &err), RPT_ERR_ARGUMENT, "longer than 1023 bytes");
    EXPECT(doc == NULL);
    key[1023] = '\0';
    remember(space, key, "sea", 3);
    EXPECT_OK(rpt_doc_stat(space, key, &info, &err));
    EXPECT_FAILS(begin(space, "", 0, &doc, &err), RPT_ERR_ARGUMENT, "empty");
    EXPECT_FAILS(begin(space, NULL, 0, &doc, &err), RPT_ERR_ARGUMENT, "key");
    EXPECT_FAILS(begin(space, "a\nb", 0, &doc, &err), RPT_ERR_ARGUMENT,
                 "control character at byte 1");
    EXPECT(err.offset == 1);
    EXPECT_FAILS(begin(space, "a\xc2\x85", 0, &doc, &err), RPT_ERR_ARGUMENT,
                 "control character at byte 1");
    EXPECT_FAILS(begin(space, "a\x7f", 0, &doc, &err), RPT_ERR_ARGUMENT, "control");
    EXPECT_FAILS(begin(space, "ab\xe2\x82", 0, &doc, &err), RPT_ERR_UTF8, "byte 2");
    EXPECT(err.offset == 2);
    EXPECT_FAILS(begin(space, "flags", 0x80, &doc, &err), RPT_ERR_ARGUMENT, "0x80");
    key[256] = '\0';
    EXPECT_FAILS(rpt_space_open(store, key, "notes", RPT_SPACE_CREATE, &other, &err),
                 RPT_ERR_ARGUMENT, "255");
    EXPECT_FAILS(rpt_space_open(store, "", "notes", RPT_SPACE_CREATE, &other, &err),
                 RPT_ERR_ARGUMENT, "owner");
    options.key = "meta";
    options.meta_json = "{\"a\": ";
    EXPECT_FAILS(rpt_doc_begin(space, &options, &doc, &err), RPT_ERR_ARGUMENT, "JSON");

    /* sessions: a cut character waits, generating meanwhile is refused, scoring wants whole text */
    EXPECT_OK(rpt_session_new(p.model, NULL, &session, &err));
    EXPECT_FAILS(rpt_session_read(session, "sea \xff", 5, NULL, &err), RPT_ERR_UTF8, "");
    EXPECT(err.offset == 4 && rpt_session_offset(session) == 0);
    EXPECT_OK(rpt_session_read(session, "sea \xc3", 5, NULL, &err));
    EXPECT_FAILS(rpt_session_generate(session, &generate, NULL, NULL, NULL, NULL, &err),
                 RPT_ERR_UTF8, "");
    EXPECT_OK(rpt_session_read(session, "\xa9", 1, NULL, &err));
    EXPECT(rpt_session_offset(session) == 6);
    EXPECT_FAILS(rpt_session_score(session, "a\xc3", 2, 0, NULL, NULL, NULL, &score, &err),
                 RPT_ERR_UTF8, "byte 1");
    EXPECT_FAILS(rpt_session_rewind(session, 5, NULL, &err), RPT_ERR_ARGUMENT, "");
    EXPECT_FAILS(rpt_session_rewind(session, 7, NULL, &err), RPT_ERR_ARGUMENT, "");
    generate.temperature = -1;
    EXPECT_FAILS(rpt_session_generate(session, &generate, NULL, NULL, NULL, NULL, &err),
                 RPT_ERR_ARGUMENT, "temperature");
    generate.temperature = 0;
    generate.max_tokens = 4;
    generate.suffix.data = "calm \xff";
    generate.suffix.size = 6;
    EXPECT_FAILS(rpt_session_generate(session, &generate, NULL, NULL, NULL, NULL, &err),
                 RPT_ERR_UTF8, "suffix");
    EXPECT(err.offset == 5 && rpt_session_offset(session) == 6);
    generate.suffix.size = 5;
    EXPECT_OK(rpt_session_generate(session, &generate, NULL, NULL, NULL, NULL, &err));
    generate.suffix.data = NULL;
    EXPECT_FAILS(rpt_session_generate(session, &generate, NULL, NULL, NULL, NULL, &err),
                 RPT_ERR_ARGUMENT, "suffix");
    rpt_session_free(session);
    EXPECT_FAILS(rpt_retrieve(&space, 1, "", 0, NULL, NULL, &hits, &err), RPT_ERR_ARGUMENT,
                 "empty");
    EXPECT_FAILS(rpt_retrieve(NULL, 0, "x", 1, NULL, NULL, &hits, &err), RPT_ERR_ARGUMENT,
                 "spaces");
    EXPECT_FAILS(rpt_retrieve(&space, 65, "x", 1, NULL, NULL, &hits, &err), RPT_ERR_ARGUMENT, "64");

    rpt_space_close(space);
    EXPECT_OK(rpt_store_close(store, &err));
    place_close(&p);
    return 0;
}
