#include "expect.h"

#include <sys/stat.h>

place place_open(int argc, char** argv) {
    place p;
    rpt_error err = RPT_ERROR_INIT;
    rpt_env_options options = RPT_ENV_OPTIONS_INIT;
    memset(&p, 0, sizeof p);
    EXPECT(argc >= 3);
    p.model_path = argv[1];
    snprintf(p.folder, sizeof p.folder, "%s", argv[2]);
    options.compute_threads = 1;
    EXPECT_OK(rpt_env_open(&options, &p.env, &err));
    EXPECT_OK(rpt_model_open(p.env, p.model_path, NULL, NULL, &p.model, &err));
    return p;
}

void place_close(place* p) {
    rpt_model_close(p->model);
    rpt_env_close(p->env);
}

const char* place_path(const place* p, const char* name) {
    static char buffers[4][1300];
    static unsigned next;
    char* buffer = buffers[next++ % 4];
    snprintf(buffer, 1300, "%s/%s", p->folder, name);
    return buffer;
}

rpt_store* place_store(const place* p, const char* name, uint32_t flags) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_store_options options = RPT_STORE_OPTIONS_INIT;
    rpt_store* store = NULL;
    options.flags = flags;
    options.model = p->model;
    EXPECT_OK(rpt_store_open(p->env, place_path(p, name), &options, &store, &err));
    return store;
}

rpt_space* place_space(rpt_store* store, const char* owner) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_space* space = NULL;
    EXPECT_OK(rpt_space_open(store, owner, "notes", RPT_SPACE_CREATE, &space, &err));
    return space;
}

void remember(rpt_space* space, const char* key, const char* text, size_t size) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
    rpt_doc* doc = NULL;
    options.key = key;
    EXPECT_OK(rpt_doc_begin(space, &options, &doc, &err));
    EXPECT_OK(rpt_doc_append(doc, text, size, NULL, &err));
    EXPECT_OK(rpt_doc_finish(doc, NULL, NULL, &err));
    rpt_doc_free(doc);
}

char* make_text(size_t size, unsigned seed) {
    static const char* const words[] = {"the ",  "sea ",   "was ",  "calm ",  "and ",  "a ",
                                        "ship ", "came ",  "from ", "far ",   "with ", "salt ",
                                        "wind ", "stars ", "over ", "water. "};
    char* text = malloc(size + 1);
    size_t at = 0;
    unsigned state = seed * 2654435761u + 1u;
    EXPECT(text);
    while (at < size) {
        const char* word = words[(state >> 16) % 16];
        size_t length = strlen(word);
        if (length > size - at) length = size - at;
        memcpy(text + at, word, length);
        at += length;
        state = state * 1664525u + 1013904223u;
    }
    text[size] = '\0';
    return text;
}

char* read_whole(const char* path, size_t* size) {
    FILE* file = fopen(path, "rb");
    struct stat facts;
    char* bytes;
    EXPECT(file && fstat(fileno(file), &facts) == 0);
    *size = (size_t)facts.st_size;
    bytes = malloc(*size + 1);
    EXPECT(bytes && fread(bytes, 1, *size, file) == *size);
    fclose(file);
    return bytes;
}

void write_whole(const char* path, const void* bytes, size_t size) {
    FILE* file = fopen(path, "wb");
    EXPECT(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

int32_t add_text(void* user, const rpt_event* event) {
    answer* to = user;
    if (event->type != RPT_EVENT_TEXT) return 0;
    if (to->size + event->text.size > sizeof to->text) return -1;
    memcpy(to->text + to->size, event->text.data, event->text.size);
    to->size += event->text.size;
    return 0;
}
