/* A book is read by one process and continued by another:
 *   read_remember MODEL STORE remember book.txt
 *   read_remember MODEL STORE continue "It was a dark and stormy"
 */
#include <rpt.h>
#include <stdio.h>
#include <string.h>

static rpt_error err = RPT_ERROR_INIT;

static int remember(rpt_space* space, const char* path) {
    rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
    rpt_doc_info info = {.struct_size = sizeof info};
    rpt_doc* doc = NULL;
    char buffer[65536];
    size_t n;
    FILE* file = fopen(path, "rb");
    int bad;
    if (!file) return perror(path), 1;
    options.key = path;
    options.flags = RPT_DOC_REPLACE | RPT_DOC_LOSSY_UTF8;
    bad = rpt_doc_begin(space, &options, &doc, &err) < 0;
    while (!bad && (n = fread(buffer, 1, sizeof buffer, file)) > 0)
        bad = rpt_doc_append(doc, buffer, n, NULL, &err) < 0;
    bad = bad || ferror(file) || rpt_doc_finish(doc, NULL, &info, &err) < 0;
    if (!bad)
        printf("%s: %llu bytes in %llu chunks\n", path, (unsigned long long)info.bytes_accepted,
               (unsigned long long)info.chunks);
    rpt_doc_free(doc);
    fclose(file);
    return bad;
}

static int32_t show(void* user, const rpt_event* event) {
    rpt_hit hit = {.struct_size = sizeof hit};
    (void)user;
    if (event->type == RPT_EVENT_TEXT) fwrite(event->text.data, 1, event->text.size, stdout);
    if (event->type == RPT_EVENT_HITS && rpt_hits_get(event->hits, 0, &hit, NULL) == RPT_OK)
        fprintf(stderr, "[remembers %.*s at byte %llu]\n", (int)hit.key.size, hit.key.data,
                (unsigned long long)hit.span.begin);
    return 0;
}

static int go_on(rpt_model* model, rpt_space* space, const char* prompt) {
    rpt_session_options options = RPT_SESSION_OPTIONS_INIT;
    rpt_generate_options generate = RPT_GENERATE_OPTIONS_INIT;
    rpt_session* session = NULL;
    int bad;
    options.spaces = &space;
    options.n_spaces = 1;
    generate.flags = RPT_GENERATE_HITS;
    bad = rpt_session_new(model, &options, &session, &err) < 0 ||
          rpt_session_read(session, prompt, strlen(prompt), NULL, &err) < 0 ||
          rpt_session_generate(session, &generate, NULL, show, NULL, NULL, &err) < 0;
    rpt_session_free(session);
    return bad;
}

int main(int argc, char** argv) {
    rpt_env* env = NULL;
    rpt_model* model = NULL;
    rpt_store* store = NULL;
    rpt_space* space = NULL;
    rpt_store_options options = RPT_STORE_OPTIONS_INIT;
    int bad;
    if (argc != 5)
        return fprintf(stderr, "usage: %s MODEL STORE remember FILE | continue TEXT\n", argv[0]), 2;
    options.flags = RPT_STORE_CREATE;
    bad = rpt_env_open(NULL, &env, &err) < 0 ||
          rpt_model_open(env, argv[1], NULL, NULL, &model, &err) < 0;
    options.model = model;
    bad = bad || rpt_store_open(env, argv[2], &options, &store, &err) < 0 ||
          rpt_space_open(store, "me", "books", RPT_SPACE_CREATE, &space, &err) < 0 ||
          (strcmp(argv[3], "remember") == 0 ? remember(space, argv[4])
                                            : go_on(model, space, argv[4]));
    if (err.status) fprintf(stderr, "%s: %s\n", rpt_status_name(err.status), err.message);
    rpt_space_close(space);
    bad = rpt_store_close(store, &err) < 0 || bad;
    rpt_model_close(model);
    rpt_env_close(env);
    return bad;
}
