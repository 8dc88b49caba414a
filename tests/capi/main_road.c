/* The whole way: remember, close, open again, search, continue, score, rewind, administer. */
#include <math.h>

#include "expect.h"

typedef struct heard {
    char text[8192];
    size_t size;
    int texts, hits, ends, texts_before_hits;
    rpt_status end_status;
    const char* key;
} heard;

static int32_t listen(void* user, const rpt_event* event) {
    heard* h = user;
    EXPECT(h->ends == 0 && event->struct_size == sizeof *event);
    if (event->type == RPT_EVENT_TEXT) {
        EXPECT(h->size + event->text.size < sizeof h->text);
        memcpy(h->text + h->size, event->text.data, event->text.size);
        h->size += event->text.size;
        h->texts++;
    } else if (event->type == RPT_EVENT_HITS) {
        rpt_error err = RPT_ERROR_INIT;
        size_t i;
        for (i = 0; i < rpt_hits_count(event->hits); ++i) {
            rpt_hit hit = {.struct_size = sizeof hit};
            EXPECT_OK(rpt_hits_get(event->hits, i, &hit, &err));
            EXPECT(hit.gate >= 0 && hit.gate <= 1 && hit.rank == i);
            if (!(hit.flags & RPT_HIT_OWN))
                EXPECT(hit.key.size == 4 && memcmp(hit.key.data, "book", 4) == 0);
        }
        h->hits++;
    } else {
        EXPECT(event->type == RPT_EVENT_END);
        h->ends++;
        h->end_status = event->status;
    }
    return 0;
}

static int32_t count_space(void* user, const char* owner, const char* collection) {
    EXPECT(strcmp(collection, "notes") == 0 &&
           (strcmp(owner, "alice") == 0 || strcmp(owner, "bob") == 0));
    ++*(int*)user;
    return 0;
}

static int32_t count_doc(void* user, const char* key, const rpt_doc_info* info) {
    EXPECT(strcmp(key, "book") == 0 && (info->flags & RPT_DOC_FINISHED));
    ++*(int*)user;
    return 0;
}

static void write_book(const place* p, const char* text, size_t size) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_store* store = place_store(p, "store", RPT_STORE_CREATE);
    rpt_space *alice = place_space(store, "alice"), *bob = place_space(store, "bob");
    rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
    rpt_doc_info info = {.struct_size = sizeof info};
    rpt_doc* doc = NULL;
    options.key = "book";
    options.uri = "file:book.txt";
    options.meta_json = "{\"year\": 1851}";
    options.timestamp_ms = 12345;
    EXPECT_OK(rpt_doc_begin(alice, &options, &doc, &err));
    EXPECT_OK(rpt_doc_append(doc, text, 7, NULL, &err));
    EXPECT_OK(rpt_doc_append(doc, text + 7, size / 2, NULL, &err));
    EXPECT(rpt_doc_offset(doc) == 7 + size / 2);
    EXPECT_OK(rpt_doc_flush(doc, RPT_FLUSH_TAIL, NULL, &info, &err));
    EXPECT(info.bytes_accepted == 7 + size / 2 && info.chunks > 0 &&
           !(info.flags & RPT_DOC_FINISHED));
    EXPECT_OK(rpt_doc_append(doc, text + 7 + size / 2, size - 7 - size / 2, NULL, &err));
    EXPECT_OK(rpt_doc_finish(doc, NULL, &info, &err));
    EXPECT(info.bytes_accepted == size && info.bytes_searchable == size &&
           (info.flags & RPT_DOC_FINISHED));
    EXPECT_FAILS(rpt_doc_append(doc, "x", 1, NULL, &err), RPT_ERR_STATE, "finished");
    rpt_doc_free(doc);
    EXPECT_FAILS(rpt_doc_begin(alice, &options, &doc, &err), RPT_ERR_EXISTS, "");
    EXPECT(doc == NULL);
    EXPECT_OK(rpt_store_sync(store, NULL, &err));
    rpt_space_close(alice);
    rpt_space_close(bob);
    EXPECT_OK(rpt_store_close(store, &err));
}

static void check_catalogue(rpt_store* store, rpt_space* alice, const char* text, size_t size) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_store_stats stats = {.struct_size = sizeof stats};
    rpt_doc_info info = {.struct_size = sizeof info};
    rpt_chunk_info chunk = {.struct_size = sizeof chunk};
    char* copy = malloc(size);
    char field[64];
    size_t got = 0, i;
    uint64_t covered = 0;
    int n = 0;
    EXPECT_OK(rpt_store_list_spaces(store, count_space, &n, &err));
    EXPECT(n == 2);
    n = 0;
    EXPECT_OK(rpt_doc_list(alice, NULL, count_doc, &n, &err));
    EXPECT(n == 1);
    EXPECT_OK(rpt_doc_list(alice, "book", count_doc, &n, &err));
    EXPECT(n == 1);
    EXPECT_OK(rpt_doc_stat(alice, "book", &info, &err));
    EXPECT(info.timestamp_ms == 12345 && info.bytes_accepted == size);
    EXPECT_OK(rpt_doc_read(alice, "book", 0, copy, size, &got, &err));
    EXPECT(got == size && memcmp(copy, text, size) == 0);
    EXPECT_OK(rpt_doc_read(alice, "book", size - 3, copy, size, &got, &err));
    EXPECT(got == 3 && memcmp(copy, text + size - 3, 3) == 0);
    EXPECT_OK(rpt_doc_get_field(alice, "book", RPT_FIELD_URI, field, sizeof field, &got, &err));
    EXPECT(got == 13 && memcmp(field, "file:book.txt", 13) == 0);
    EXPECT_OK(rpt_doc_get_field(alice, "book", RPT_FIELD_META, NULL, 0, &got, &err));
    EXPECT(got == strlen("{\"year\": 1851}"));
    for (i = 0; i < info.chunks; ++i) {
        EXPECT_OK(rpt_doc_get_chunk(alice, "book", i, &chunk, &err));
        EXPECT(chunk.ordinal == i && chunk.span.begin == covered && chunk.key_norm > 0 &&
               chunk.state_rms > 0);
        covered = chunk.span.end;
    }
    EXPECT(covered == size);
    EXPECT_FAILS(rpt_doc_get_chunk(alice, "book", info.chunks, &chunk, &err), RPT_ERR_NOT_FOUND,
                 "no chunk");
    EXPECT_OK(rpt_store_get_stats(store, &stats, &err));
    EXPECT(stats.documents == 1 && stats.spaces == 2 && stats.text_bytes == size &&
           stats.chunks == info.chunks);
    free(copy);
}

static void check_search(rpt_space* alice, rpt_space* bob, const char* text, size_t size) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_retrieve_options options = RPT_RETRIEVE_OPTIONS_INIT;
    rpt_hits* hits = NULL;
    rpt_hit hit = {.struct_size = sizeof hit};
    float last = INFINITY;
    size_t i;
    options.k = 5;
    options.flags = RPT_RETRIEVE_TEXT | RPT_RETRIEVE_EXACT;
    EXPECT_OK(rpt_retrieve(&alice, 1, text, 300, &options, NULL, &hits, &err));
    EXPECT(rpt_hits_count(hits) == 5);
    for (i = 0; i < 5; ++i) {
        EXPECT_OK(rpt_hits_get(hits, i, &hit, &err));
        EXPECT(hit.score <= last && hit.span.end <= size &&
               hit.text.size == hit.span.end - hit.span.begin);
        EXPECT(memcmp(hit.text.data, text + hit.span.begin, hit.text.size) == 0);
        last = hit.score;
    }
    EXPECT_FAILS(rpt_hits_get(hits, 5, &hit, &err), RPT_ERR_ARGUMENT, "hit 5 of 5");
    rpt_hits_free(hits);
    EXPECT_OK(rpt_retrieve(&bob, 1, text, 300, &options, NULL, &hits, &err));
    EXPECT(rpt_hits_count(hits) == 0);
    rpt_hits_free(hits);
    options.exclude_key = "book";
    EXPECT_OK(rpt_retrieve(&alice, 1, text, 300, &options, NULL, &hits, &err));
    EXPECT(rpt_hits_count(hits) == 0);
    rpt_hits_free(hits);
}

static int32_t add_chunk(void* user, const rpt_scored_chunk* chunk) {
    *(double*)user += chunk->nll;
    return 0;
}

static void check_session(const place* p, rpt_space* alice, const char* text) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_session_options options = RPT_SESSION_OPTIONS_INIT;
    rpt_generate_options generate = RPT_GENERATE_OPTIONS_INIT;
    rpt_generate_result result = {.struct_size = sizeof result};
    rpt_score score = {.struct_size = sizeof score}, again = {.struct_size = sizeof again};
    rpt_session* session = NULL;
    rpt_hits* hits = NULL;
    static heard first, second;
    uint64_t before;
    double summed = 0;
    options.spaces = &alice;
    options.n_spaces = 1;
    options.flags = RPT_SESSION_SELF_MEMORY;
    EXPECT_OK(rpt_session_new(p->model, &options, &session, &err));
    EXPECT_OK(rpt_session_read(session, text, 301, NULL, &err));
    EXPECT(rpt_session_offset(session) == 301);
    EXPECT_OK(rpt_session_retrieve(session, NULL, NULL, &hits, &err));
    EXPECT(rpt_hits_count(hits) > 0);
    rpt_hits_free(hits);
    EXPECT_OK(
        rpt_session_score(session, text + 301, 200, 0, NULL, add_chunk, &summed, &score, &err));
    EXPECT(score.bytes == 200 && score.tokens > 0 && score.nll > 0 && score.retrievals > 0);
    EXPECT(fabs(summed - score.nll) < 1e-6 * score.nll);
    EXPECT(fabs(score.bits_per_byte - score.nll / log(2) / 200) < 1e-9);
    EXPECT_OK(rpt_session_score(session, text + 301, 200, 0, NULL, NULL, NULL, &again, &err));
    EXPECT(score.nll == again.nll && rpt_session_offset(session) == 301);
    EXPECT_OK(rpt_session_score(session, text + 301, 200, RPT_SCORE_NO_MEMORY, NULL, NULL, NULL,
                                &again, &err));
    EXPECT(again.retrievals == 0);

    generate.max_tokens = 40;
    generate.seed = 7;
    generate.temperature = 1;
    generate.flags = RPT_GENERATE_HITS;
    EXPECT_OK(rpt_session_generate(session, &generate, NULL, listen, &first, &result, &err));
    EXPECT(result.seed == 7 && result.bytes == first.size && result.finish != RPT_FINISH_NONE);
    EXPECT(first.ends == 1 && first.end_status == RPT_OK && first.hits > 0 &&
           result.retrievals > 0);
    EXPECT(rpt_session_offset(session) == 301 + first.size);
    before = rpt_session_offset(session);
    EXPECT_OK(rpt_session_rewind(session, 301, NULL, &err));
    EXPECT(rpt_session_offset(session) == 301 && before >= 301);
    EXPECT_OK(rpt_session_generate(session, &generate, NULL, listen, &second, &result, &err));
    EXPECT(second.size == first.size && memcmp(first.text, second.text, first.size) == 0);
    generate.seed = 0;
    generate.flags = RPT_GENERATE_NO_MEMORY;
    EXPECT_OK(rpt_session_generate(session, &generate, NULL, NULL, NULL, &result, &err));
    EXPECT(result.seed != 0 && result.retrievals == 0);
    rpt_session_free(session);
}

/* A session's number of neighbours holds for all its calls that do not name one. */
static void check_neighbours(const place* p, rpt_space* alice, const char* text) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_session_options options = RPT_SESSION_OPTIONS_INIT;
    rpt_model_info info = {.struct_size = sizeof info};
    rpt_retrieve_options two = RPT_RETRIEVE_OPTIONS_INIT;
    rpt_score few = {.struct_size = sizeof few}, many = {.struct_size = sizeof many};
    rpt_session* session = NULL;
    rpt_hits* hits = NULL;
    options.spaces = &alice;
    options.n_spaces = 1;
    EXPECT_OK(rpt_model_get_info(p->model, &info, &err));
    options.neighbours = info.neighbours + 3;
    EXPECT_OK(rpt_session_new(p->model, &options, &session, &err));
    EXPECT_OK(rpt_session_read(session, text, 301, NULL, &err));
    EXPECT_OK(rpt_session_retrieve(session, NULL, NULL, &hits, &err));
    EXPECT(rpt_hits_count(hits) == info.neighbours + 3);
    rpt_hits_free(hits);
    two.k = 2;
    EXPECT_OK(rpt_session_retrieve(session, &two, NULL, &hits, &err));
    EXPECT(rpt_hits_count(hits) == 2);
    rpt_hits_free(hits);
    EXPECT_OK(rpt_session_score(session, text + 301, 200, 0, NULL, NULL, NULL, &many, &err));
    rpt_session_free(session);
    options.struct_size = (uint32_t)offsetof(rpt_session_options, neighbours); /* an older host */
    EXPECT_OK(rpt_session_new(p->model, &options, &session, &err));
    EXPECT_OK(rpt_session_read(session, text, 301, NULL, &err));
    EXPECT_OK(rpt_session_score(session, text + 301, 200, 0, NULL, NULL, NULL, &few, &err));
    EXPECT(few.tokens == many.tokens && few.nll != many.nll);
    rpt_session_free(session);
    options.struct_size = sizeof options;
    options.neighbours = 1025;
    session = NULL;
    EXPECT(rpt_session_new(p->model, &options, &session, &err) == RPT_ERR_ARGUMENT);
    EXPECT(session == NULL && strstr(err.message, "1025") != NULL);
}

/* Ways of reading: what the model has not is refused; an older host does not choose, and its hits
 * end before `copied`. */
static void check_reading(const place* p, rpt_space* alice, const char* text) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_session_options options = RPT_SESSION_OPTIONS_INIT;
    rpt_session* session = NULL;
    rpt_hits* hits = NULL;
    rpt_hit hit;
    options.spaces = &alice;
    options.n_spaces = 1;
    options.reading = RPT_READ_COPY;
    EXPECT(rpt_session_new(p->model, &options, &session, &err) == RPT_ERR_UNSUPPORTED);
    EXPECT(session == NULL && strstr(err.message, "pointer keys") != NULL);
    options.reading = RPT_READ_UPPER;
    EXPECT(rpt_session_new(p->model, &options, &session, &err) == RPT_ERR_UNSUPPORTED);
    EXPECT(session == NULL && strstr(err.message, "upper layers") != NULL);
    options.reading = 0x80u;
    EXPECT(rpt_session_new(p->model, &options, &session, &err) == RPT_ERR_ARGUMENT);
    EXPECT(strstr(err.message, "options.reading") != NULL);
    options.struct_size = (uint32_t)offsetof(rpt_session_options, reading);
    EXPECT_OK(rpt_session_new(p->model, &options, &session, &err));
    rpt_session_free(session);
    options.struct_size = sizeof options;
    options.reading = RPT_READ_CCA;
    EXPECT_OK(rpt_session_new(p->model, &options, &session, &err));
    EXPECT_OK(rpt_session_read(session, text, 301, NULL, &err));
    EXPECT_OK(rpt_session_retrieve(session, NULL, NULL, &hits, &err));
    memset(&hit, 0xee, sizeof hit);
    hit.struct_size = (uint32_t)offsetof(rpt_hit, copied);
    EXPECT_OK(rpt_hits_get(hits, 0, &hit, &err));
    EXPECT(hit.reserved1 == 0xeeeeeeeeu && hit.rank == 0);
    hit.struct_size = sizeof hit;
    EXPECT_OK(rpt_hits_get(hits, 0, &hit, &err));
    EXPECT(hit.copied == 0 && hit.reserved1 == 0);
    rpt_hits_free(hits);
    rpt_session_free(session);
}

/* What is delivered joins the session, the suffix does not; an older host has no suffix. */
static void check_gap(const place* p, rpt_space* alice, const char* text) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_session_options options = RPT_SESSION_OPTIONS_INIT;
    rpt_generate_options generate = RPT_GENERATE_OPTIONS_INIT;
    rpt_generate_result result = {.struct_size = sizeof result};
    rpt_session* session = NULL;
    static heard plain, filled, older;
    options.spaces = &alice;
    options.n_spaces = 1;
    options.flags = RPT_SESSION_SELF_MEMORY;
    generate.max_tokens = 20;
    generate.flags = RPT_GENERATE_HITS;
    EXPECT_OK(rpt_session_new(p->model, &options, &session, &err));
    EXPECT_OK(rpt_session_read(session, text, 301, NULL, &err));
    EXPECT_OK(rpt_session_generate(session, &generate, NULL, listen, &plain, &result, &err));
    EXPECT_OK(rpt_session_rewind(session, 301, NULL, &err));
    generate.suffix.data = text + 400;
    generate.suffix.size = 200;
    EXPECT_OK(rpt_session_generate(session, &generate, NULL, listen, &filled, &result, &err));
    EXPECT(filled.ends == 1 && filled.end_status == RPT_OK && filled.hits > 0);
    EXPECT(result.retrievals > 0 && result.bytes == filled.size);
    EXPECT(rpt_session_offset(session) == 301 + filled.size);
    EXPECT(filled.size != plain.size || memcmp(filled.text, plain.text, plain.size) != 0);
    EXPECT_OK(rpt_session_rewind(session, 301, NULL, &err));
    generate.struct_size = (uint32_t)offsetof(rpt_generate_options, suffix);
    EXPECT_OK(rpt_session_generate(session, &generate, NULL, listen, &older, &result, &err));
    EXPECT(older.size == plain.size && memcmp(older.text, plain.text, plain.size) == 0);
    generate.struct_size -= 4;
    EXPECT_FAILS(rpt_session_generate(session, &generate, NULL, NULL, NULL, &result, &err),
                 RPT_ERR_ARGUMENT, "struct_size");
    rpt_session_free(session);
}

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    rpt_error err = RPT_ERROR_INIT;
    const size_t size = 5000;
    char* text = make_text(size, 1);
    rpt_store* store;
    rpt_space *alice, *bob, *gone;
    rpt_doc_info info = {.struct_size = sizeof info};
    rpt_model_info model = {.struct_size = sizeof model};
    rpt_machine_rates rates = {.struct_size = sizeof rates};
    EXPECT_OK(rpt_model_get_info(p.model, &model, &err));
    EXPECT(model.chunk_tokens == 8 && model.block_tokens == 16 && model.window_tokens == 32 &&
           model.key_dim == (strstr(argv[1], "wide_keys") != NULL ? 48u : 32u) &&
           model.neighbours == 2 && model.layers == 4 && model.parameters > 0 &&
           model.weight_bytes > 0);
    EXPECT_OK(rpt_model_measure(p.model, NULL, &rates, &err));
    EXPECT(rates.gemm_flops > 0 && rates.read_bytes > 0 && rates.lower_flops_per_token > 0 &&
           rates.decode_bytes_per_token > 0);
    write_book(&p, text, size);
    store = place_store(&p, "store", 0);
    alice = place_space(store, "alice");
    bob = place_space(store, "bob");
    check_catalogue(store, alice, text, size);
    check_search(alice, bob, text, size);
    check_session(&p, alice, text);
    check_neighbours(&p, alice, text);
    check_reading(&p, alice, text);
    check_gap(&p, alice, text);
    EXPECT_OK(rpt_store_rebuild_index(store, NULL, &err));
    check_search(alice, bob, text, size);
    EXPECT_OK(rpt_doc_delete(alice, "book", &err));
    EXPECT_FAILS(rpt_doc_delete(alice, "book", &err), RPT_ERR_NOT_FOUND, "book");
    EXPECT_FAILS(rpt_doc_stat(alice, "book", &info, &err), RPT_ERR_NOT_FOUND, "book");
    EXPECT_OK(rpt_space_drop(store, "bob", "notes", NULL, &err));
    EXPECT_FAILS(rpt_doc_stat(bob, "book", &info, &err), RPT_ERR_NOT_FOUND, "");
    EXPECT_FAILS(rpt_space_open(store, "bob", "notes", 0, &gone, &err), RPT_ERR_NOT_FOUND, "bob");
    rpt_space_close(alice);
    rpt_space_close(bob);
    EXPECT_OK(rpt_store_close(store, &err));
    EXPECT_OK(rpt_store_destroy(p.env, place_path(&p, "store"), &err));
    EXPECT_FAILS(rpt_store_destroy(p.env, place_path(&p, "store"), &err), RPT_ERR_NOT_FOUND,
                 "store");
    free(text);
    place_close(&p);
    return 0;
}
