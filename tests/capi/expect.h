/* Expectations of the C tests: a failure prints where and what, and ends the program with 1. */
#ifndef RPT_TESTS_EXPECT_H
#define RPT_TESTS_EXPECT_H
#include <rpt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(condition)                                                           \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                \
        }                                                                           \
    } while (0)

/* The call returns OK. Uses a variable `err` of the place. */
#define EXPECT_OK(call)                                                          \
    do {                                                                         \
        rpt_status status_ = (call);                                             \
        if (status_ != RPT_OK) {                                                 \
            fprintf(stderr, "%s:%d: %s: %s %s: %s\n", __FILE__, __LINE__, #call, \
                    rpt_status_name(status_), err.domain, err.message);          \
            exit(1);                                                             \
        }                                                                        \
    } while (0)

/* The call fails with exactly this status, says so in `err` too, and its message holds `part`. */
#define EXPECT_FAILS(call, expected, part)                                                        \
    do {                                                                                          \
        rpt_error fresh_ = RPT_ERROR_INIT;                                                        \
        rpt_status status_;                                                                       \
        err = fresh_;                                                                             \
        status_ = (call);                                                                         \
        if (status_ != (expected) || err.status != status_ || !strstr(err.message, (part)) ||     \
            strchr(err.message, '\n')) {                                                          \
            fprintf(stderr, "%s:%d: %s: expected %s with \"%s\", got %s %s: %s\n", __FILE__,      \
                    __LINE__, #call, rpt_status_name(expected), (part), rpt_status_name(status_), \
                    err.domain, err.message);                                                     \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

/* What most tests stand on: environment and tiny model, paths under the folder of the test. */
typedef struct place {
    rpt_env* env;
    rpt_model* model;
    const char* model_path;
    char folder[1024];
} place;

/* argv[1]: the tiny model, argv[2]: an empty folder of this test alone. */
place place_open(int argc, char** argv);
void place_close(place* p);
/* folder/name, in a buffer of the function that the call after the next three overwrites. */
const char* place_path(const place* p, const char* name);
rpt_store* place_store(const place* p, const char* name, uint32_t flags);
rpt_space* place_space(rpt_store* store, const char* owner);

/* Writes a whole document. */
void remember(rpt_space* space, const char* key, const char* text, size_t size);
/* Text of `size` bytes in sentences of small words, different for each `seed`; to be freed. */
char* make_text(size_t size, unsigned seed);
/* What a test compares as one text. */
typedef struct answer {
    size_t size;
    char text[4096];
} answer;

/* An rpt_event_fn: appends generated text to the answer `user`. */
int32_t add_text(void* user, const rpt_event* event);
/* A whole file, to be freed. */
char* read_whole(const char* path, size_t* size);
void write_whole(const char* path, const void* bytes, size_t size);

#endif
