/* rpt.h - the C interface of librpt: a reader with a memory.
 *
 * The library reads documents and keeps model states of them in a store on disk. A search finds
 * these states again, and the model continues or scores any text with them. This header is the
 * whole stable interface: C99, no third-party types, 64-bit platforms.
 *
 * Objects
 *   rpt_env      worker threads and log of one user of the library
 *   rpt_model    weights and tokenizer; nothing changes them
 *   rpt_store    a memory on disk: one directory
 *   rpt_space    permission to use one (owner, collection) of a store; a search reads the spaces
 *                that it is given and no others
 *   rpt_doc      a writer of one document
 *   rpt_session  a text being read, continued or scored
 *   rpt_hits     the answer of one retrieval
 *   rpt_cancel   a flag that ends calls early
 *
 * Rules for every function
 *  1. Status. A function that can fail returns rpt_status: 0 is success, a negative value is
 *     failure. Any minor release may add codes. Treat a negative code that you do not know as a
 *     failure.
 *  2. Error. The last parameter may be NULL. If it is not, set its struct_size to between 48 and
 *     65536; RPT_ERROR_INIT does so. With another size the call does nothing, leaves *err alone
 *     and returns RPT_ERR_ARGUMENT. Only a failed call writes the record. The record owns nothing
 *     and stays valid.
 *  3. All or nothing. A call that fails changes nothing, unless its comment says otherwise. Every
 *     call first clears its out parameters: handles to NULL, numbers and records to zero.
 *  4. Options. NULL means all defaults, and zero in a field means its default. A struct may be
 *     longer than the library knows if the unknown part is zero; otherwise the call returns
 *     RPT_ERR_UNSUPPORTED. The call returns RPT_ERR_ARGUMENT for a struct that is shorter than in
 *     the first release, an unknown flag bit or a value out of range. The library copies what it
 *     needs after the call.
 *  5. Results. The caller sets struct_size of a record that the library fills. The library fills
 *     the fields that both sides know and clears the others.
 *  6. Text is a pointer and a length. It is UTF-8 and may hold NUL bytes. Names, keys and paths
 *     end with NUL and are UTF-8 without control characters. Keys have at most 1023 bytes, owners
 *     and collections 255, paths what the system allows.
 *  7. Offsets and spans count bytes of the original text, not tokens.
 *  8. Ownership. The caller closes or frees every handle that an out parameter gave it. Pointers
 *     inside records are borrowed; the comment names the owner. An object keeps what it is made
 *     of, so handles may be closed in any order: a store lives until its last session is gone.
 *     Closing NULL does nothing.
 *  9. Threads. env, model, store, space, cancel: any thread at any time. doc, session: one thread
 *     at a time; a second thread gets RPT_ERR_BUSY. hits: any number of threads may read, one
 *     frees. Records are plain values.
 * 10. Callbacks run on the thread that made the call, and the library holds no lock then. A
 *     callback may use every other object; the object of the call answers RPT_ERR_BUSY. The log
 *     callback differs: any thread may call it, and it may call rpt_cancel_request alone. A
 *     callback must return normally: no exception, no longjmp.
 * 11. The library prints nothing and never ends the process. It leaves signal handlers, locale,
 *     working directory and standard streams alone. It starts threads in rpt_env_open or later,
 *     and its threads take no signals.
 * 12. After fork, handles of the parent answer RPT_ERR_FORKED in the child. Closing them there
 *     does nothing.
 */
#ifndef RPT_H
#define RPT_H

#include <stddef.h>
#include <stdint.h>

#if defined(RPT_STATIC)
#define RPT_API
#elif defined(_WIN32)
#ifdef RPT_BUILD
#define RPT_API __declspec(dllexport)
#else
#define RPT_API __declspec(dllimport)
#endif
#else
#define RPT_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version ---- */

/* What this header describes; rpt_version_number() tells what is loaded. */
#define RPT_VERSION_MAJOR 0
#define RPT_VERSION_MINOR 1
#define RPT_VERSION_PATCH 0
#define RPT_VERSION_NUMBER \
    (RPT_VERSION_MAJOR * 1000000 + RPT_VERSION_MINOR * 1000 + RPT_VERSION_PATCH)

/* Any thread may call these three at any time, before everything else too. They cannot fail. The
 * strings live as long as the library. */
RPT_API uint32_t rpt_version_number(void);
RPT_API const char* rpt_version_string(void);
/* One line of JSON: versions of the libraries inside, compiler, sanitizers, GPU. Put it into bug
 * reports. */
RPT_API const char* rpt_build_info(void);

/* ---- Status and error ---- */

typedef int32_t rpt_status;
#define RPT_OK 0
#define RPT_ERR_INTERNAL (-1) /* a defect of the library; please report the message */
#define RPT_ERR_ARGUMENT (-2) /* the program passed something impossible; fix the program */
#define RPT_ERR_NO_MEMORY (-3)
#define RPT_ERR_IO (-4)        /* the disk or file system failed; os_error says how */
#define RPT_ERR_NOT_FOUND (-5) /* no such file, space, key or chunk */
#define RPT_ERR_EXISTS (-6)
#define RPT_ERR_BUSY (-7)      /* in use: by another thread, writer or process */
#define RPT_ERR_CANCELLED (-8) /* by token or progress callback */
#define RPT_ERR_TIMEOUT (-9)
#define RPT_ERR_UNSUPPORTED (-10)    /* valid, but not by this library or this model */
#define RPT_ERR_VERSION (-11)        /* a file format that only another library version reads */
#define RPT_ERR_CORRUPT (-12)        /* checksum or structure of a file is wrong */
#define RPT_ERR_MODEL_MISMATCH (-13) /* the store was written with another model */
#define RPT_ERR_READ_ONLY (-14)
#define RPT_ERR_UTF8 (-15) /* invalid or cut UTF-8; error.offset says where */
#define RPT_ERR_TOO_LARGE (-16)
/* The object is closed or finished, or has no model, and the call needs the opposite. */
#define RPT_ERR_STATE (-17)
#define RPT_ERR_NO_SPACE (-18) /* the disk is full or a file reached its limit */
#define RPT_ERR_CALLBACK (-19) /* a callback of the host returned a negative value */
#define RPT_ERR_FORKED (-20)   /* the handle belongs to the parent process */
#define RPT_ERR_DEVICE (-21)   /* the device asked for is not there or failed */

/* Name of a status, such as "RPT_ERR_IO", or "RPT_ERR_?" for a number that the library does not
 * know. Never fails. The string lives as long as the library. */
RPT_API const char* rpt_status_name(rpt_status status);

#define RPT_ERROR_RETRYABLE 0x1u /* the same call may succeed later */
#define RPT_ERROR_TRUNCATED 0x2u /* the message did not fit */
typedef struct rpt_error {
    uint32_t struct_size;
    rpt_status status;
    int32_t os_error;  /* errno, or 0 */
    uint32_t flags;    /* RPT_ERROR_* */
    int64_t offset;    /* byte of the input at fault, or -1 */
    char domain[24];   /* who failed: "rpt", "sqlite", "torch", "zstd", "os" */
    char message[464]; /* one line of UTF-8: what failed, on what, why, what to try. Never holds a
                          user's text in full */
} rpt_error;
#define RPT_ERROR_INIT \
    { sizeof(rpt_error), 0, 0, 0, -1, "", "" }

/* ---- Small values ---- */

/* These two never grow, because other records hold them as members. */
typedef struct rpt_str {
    const char* data; /* not NUL-terminated */
    size_t size;
} rpt_str;
typedef struct rpt_span {
    uint64_t begin, end; /* bytes [begin, end) */
} rpt_span;

typedef struct rpt_env rpt_env;
typedef struct rpt_model rpt_model;
typedef struct rpt_store rpt_store;
typedef struct rpt_space rpt_space;
typedef struct rpt_doc rpt_doc;
typedef struct rpt_hits rpt_hits;
typedef struct rpt_session rpt_session;
typedef struct rpt_cancel rpt_cancel;

/* ---- Environment ---- */

#define RPT_LOG_ERROR 1
#define RPT_LOG_WARN 2
#define RPT_LOG_INFO 3
#define RPT_LOG_DEBUG 4
/* Gets one whole line without newline. `text` ends with NUL at text[size] and is valid during the
 * call. Several threads may call it at once. */
typedef void (*rpt_log_fn)(void* user, int32_t level, const char* domain, const char* text,
                           size_t size);

typedef struct rpt_env_options {
    uint32_t struct_size;
    uint32_t flags;           /* none defined */
    uint32_t worker_threads;  /* model calls that run at once, at most 64; 0: one, which is fastest
                                 on most machines */
    uint32_t compute_threads; /* threads of one model call; 0: one. The process has one value: see
                                 rpt_env_open */
    int32_t log_level;        /* lines up to this level are delivered; 0: none */
    uint32_t reserved0;
    rpt_log_fn log;
    void* log_user;
} rpt_env_options;
#define RPT_ENV_OPTIONS_INIT \
    { sizeof(rpt_env_options), 0, 0, 0, 0, 0, NULL, NULL }

/* Makes an environment. A process may have any number. compute_threads holds for the whole process:
 * the first environment sets it, and a later one that asks for another number gets a warning in its
 * log. Model and disk work runs on threads of the environment, which have stacks of their own. The
 * calling thread waits, so hosts with small stacks are safe. */
RPT_API rpt_status rpt_env_open(const rpt_env_options* options, rpt_env** out, rpt_error* err);
/* Ends the work of an environment. It cancels running calls that have no cancel token and waits for
 * the others; such a call ends at most one block of tokens after its token was set. Later calls on
 * objects of the environment answer RPT_ERR_STATE. On return its threads are gone. Close the
 * objects too, before or after. Do not call it from a callback. */
RPT_API void rpt_env_close(rpt_env* env);

/* ---- Control of one call ---- */

/* Makes a cancel token, or returns NULL if memory is out. A call that uses a token keeps it, so you
 * may free it while the call runs. A request stays set: make a new token for the next action. */
RPT_API rpt_cancel* rpt_cancel_new(void);
/* Sets one flag. Legal from any thread and from a signal handler, more than once, before, during
 * and after a call. */
RPT_API void rpt_cancel_request(rpt_cancel* token);
RPT_API void rpt_cancel_free(rpt_cancel* token);

/* `total` is 0 if it is not known. Return 0 to go on, anything else to cancel the call. */
typedef int32_t (*rpt_progress_fn)(void* user, uint64_t done, uint64_t total);

/* Every call that can take long has this parameter. The library looks at token and deadline between
 * blocks of tokens, pages and documents. */
typedef struct rpt_call {
    uint32_t struct_size;
    uint32_t flags;     /* none defined */
    int64_t timeout_ms; /* from the start of the call, on the monotonic clock; 0: no limit */
    rpt_cancel* cancel; /* may be NULL */
    rpt_progress_fn progress;
    void* progress_user;
} rpt_call;
#define RPT_CALL_INIT \
    { sizeof(rpt_call), 0, 0, NULL, NULL, NULL }

/* ---- Model ---- */

#define RPT_DEVICE_AUTO 0 /* a GPU if there is one */
#define RPT_DEVICE_CPU 1
#define RPT_DEVICE_CUDA 2 /* RPT_ERR_DEVICE if there is none, never the CPU instead */
#define RPT_DTYPE_MODEL 0 /* the library chooses for model and device */
#define RPT_DTYPE_F32 1
#define RPT_DTYPE_BF16 2
#define RPT_DTYPE_F16 3
typedef struct rpt_model_options {
    uint32_t struct_size;
    uint32_t flags; /* none defined */
    int32_t device; /* RPT_DEVICE_* */
    int32_t device_index;
    int32_t dtype; /* RPT_DTYPE_* */
    uint32_t reserved0;
} rpt_model_options;
#define RPT_MODEL_OPTIONS_INIT \
    { sizeof(rpt_model_options), 0, 0, 0, 0, 0 }

/* What a model is, summed */
#define RPT_MODEL_FILLS_STORES 0x1u /* it can have stores; without it, see rpt_model_make_memory */
#define RPT_MODEL_UNTRAINED 0x2u    /* its memory was not trained; rpt-lab memory fit does */
#define RPT_MODEL_EXPECTS_NFC 0x4u  /* it was trained on text in Unicode's form NFC. The library
                                       reads text as it is; a host may bring it to that form */
/* It answers conversations: rpt_generate_options.chat */
#define RPT_MODEL_CHATS 0x8u
typedef struct rpt_model_info {
    uint32_t struct_size;
    uint32_t chunk_tokens;  /* m: tokens of a chunk, the unit of retrieval */
    uint32_t block_tokens;  /* S: tokens that the model reads in one step */
    uint32_t window_tokens; /* 2 S: tokens that attention sees directly */
    uint32_t neighbours;    /* chunks retrieved for each chunk, unless a call says otherwise */
    uint32_t key_dim;
    uint32_t vocab_size;
    uint32_t layers;
    uint64_t parameters;
    uint64_t weight_bytes;          /* in memory */
    uint64_t state_bytes_per_chunk; /* fp32, before the store's compression */
    uint8_t fingerprint[32]; /* SHA-256 over config, tokenizer, weights; a store belongs to one */
    /* If struct_size ends here, the library does not fill the fields below. */
    uint32_t flags; /* RPT_MODEL_* */
    uint32_t reserved0;
} rpt_model_info;

/* Loads a model and verifies its checksum. `path` is a model package of this library, a GGUF file,
 * or a folder with config.json, tokenizer.json and safetensors; docs/models.md names what is read.
 * A memory file beside it (NAME.memory.safetensors) belongs to it. Progress counts the bytes
 * that were verified. NOT_FOUND, CORRUPT, VERSION, DEVICE, NO_MEMORY; UNSUPPORTED for a model that
 * others made and this library does not compute; MODEL_MISMATCH for a memory file of another
 * model. */
RPT_API rpt_status rpt_model_open(rpt_env* env, const char* path, const rpt_model_options* options,
                                  const rpt_call* call, rpt_model** out, rpt_error* err);
RPT_API rpt_status rpt_model_get_info(const rpt_model* model, rpt_model_info* info, rpt_error* err);
/* Fingerprint of the model at `path`, with its memory file, without loading it: what
 * rpt_store_stats names for the stores of that model. Of a package only the header is read, other
 * files are read whole. Verifies nothing. Fails as rpt_model_open does. */
RPT_API rpt_status rpt_model_identify(rpt_env* env, const char* path, const rpt_call* call,
                                      uint8_t fingerprint[32], rpt_error* err);

typedef struct rpt_import_result {
    uint32_t struct_size;
    uint32_t layers;
    uint64_t parameters;
    uint64_t file_bytes;     /* of the package */
    uint8_t fingerprint[32]; /* of the source and of the package; without a memory file */
} rpt_import_result;
/* Writes the model of `path`, which is anything that rpt_model_open takes, as a package to
 * `out_path`: one file that opens faster. Tensors stay as they are stored. A file that is there is
 * replaced; on failure or cancel it stays as it was. Memory files are left alone. `result` may be
 * NULL. Blocks for as long as reading the source twice takes; progress counts those bytes.
 * NOT_FOUND, CORRUPT, VERSION, UNSUPPORTED, IO, NO_SPACE, READ_ONLY. */
RPT_API rpt_status rpt_model_import(rpt_env* env, const char* path, const char* out_path,
                                    const rpt_call* call, rpt_import_result* result,
                                    rpt_error* err);

/* Makes an untrained memory file for the model at `path`, a decoder that others trained, and writes
 * it to `out_path`, which is NAME.memory.safetensors beside the model. The model reads a text that
 * is part of the library, so this takes as long as adding some 25 kB to a store. An untrained
 * memory helps less than one of `rpt-lab memory fit`. A file that is there is replaced; on failure
 * or cancel it stays as it was. The same machine with the same number of threads makes the same
 * bytes. Progress counts tokens. A memory file that stands beside the model is not read. As
 * rpt_model_open, and UNSUPPORTED for a model with a memory of its own; IO, NO_SPACE, READ_ONLY. */
RPT_API rpt_status rpt_model_make_memory(rpt_env* env, const char* path, const char* out_path,
                                         const rpt_call* call, rpt_error* err);

/* How fast this machine can be with this model at best: compare measured speeds with it. */
typedef struct rpt_machine_rates {
    uint32_t struct_size;
    uint32_t reserved0;
    double gemm_flops;             /* matrix products at the model's shapes, operations a second */
    double read_bytes;             /* reading main memory, bytes a second */
    double lower_flops_per_token;  /* operations to read one token into a store */
    double decode_bytes_per_token; /* weights read to generate one token */
} rpt_machine_rates;
/* Measures for about a second. Cancel token and deadline count only until it starts. */
RPT_API rpt_status rpt_model_measure(rpt_model* model, const rpt_call* call,
                                     rpt_machine_rates* rates, rpt_error* err);
/* Gives up the handle. The memory is free when the last store and session that use the model are
 * gone. */
RPT_API void rpt_model_close(rpt_model* model);

/* ---- Store ---- */

#define RPT_STORE_CREATE 0x1u    /* make the store if it is not there; needs a model */
#define RPT_STORE_READ_ONLY 0x2u /* not together with CREATE */
#define RPT_STORE_EXCL 0x4u      /* with CREATE: RPT_ERR_EXISTS if it is there */
/* A flush survives the end of the process. A power cut may undo the newest flushes; the store stays
 * consistent. */
#define RPT_DURABLE_NORMAL 0
#define RPT_DURABLE_FLUSH 1 /* every flush is on the disk when the call returns */
#define RPT_DURABLE_NONE 2  /* a power cut may destroy it; for stores that can be made again */
/* How the store keeps states, by far its largest part. Every store reads all of these, mixed too.
 */
#define RPT_STATES_DEFAULT 0  /* INT4 */
#define RPT_STATES_FP16 1     /* the others are measured against this one */
#define RPT_STATES_INT8 2     /* half the size of FP16 */
#define RPT_STATES_INT4 3     /* a quarter; the model's loss is within 0.1 % of FP16's */
#define RPT_STATES_LOW_RANK 4 /* smaller than INT4; the model's loss grows by 1 % */
typedef struct rpt_store_options {
    uint32_t struct_size;
    uint32_t flags;            /* RPT_STORE_* */
    rpt_model* model;          /* NULL: administration, listing, reading and deleting only */
    uint64_t cache_bytes;      /* decoded states kept in memory; 0: 64 MiB */
    int32_t durability;        /* RPT_DURABLE_* */
    int32_t compression_level; /* 1 to 19, 0: the library's choice */
    /* If struct_size ends here, the fields below have their defaults. */
    int32_t state_codec; /* RPT_STATES_*: for everything written from now on */
    uint32_t reserved0;
} rpt_store_options;
#define RPT_STORE_OPTIONS_INIT \
    { sizeof(rpt_store_options), 0, NULL, 0, 0, 0, 0, 0 }

/* Opens a directory as a store. One process writes; a second writer gets RPT_ERR_BUSY. Any number
 * of processes read. A store works with the model that made it; with another model the call returns
 * RPT_ERR_MODEL_MISMATCH and names both fingerprints. A missing or stale search index is no error:
 * the library builds it again when a search needs it. CORRUPT, VERSION, READ_ONLY, IO, NO_SPACE. */
RPT_API rpt_status rpt_store_open(rpt_env* env, const char* path, const rpt_store_options* options,
                                  rpt_store** out, rpt_error* err);
/* Returns when all that was flushed before the call is on the disk. */
RPT_API rpt_status rpt_store_sync(rpt_store* store, const rpt_call* call, rpt_error* err);
/* Syncs and closes. The handle is gone even if the call reports a failure. While spaces, documents
 * or sessions still use the store, the last of them closes it, and a failure goes to the log. */
RPT_API rpt_status rpt_store_close(rpt_store* store, rpt_error* err);
/* Deletes a store from the disk. Returns NOT_FOUND or CORRUPT for a folder that is no store, BUSY
 * for a store that is open anywhere. Files that the library does not know stay. */
RPT_API rpt_status rpt_store_destroy(rpt_env* env, const char* path, rpt_error* err);

typedef struct rpt_store_stats {
    uint32_t struct_size;
    uint32_t format_version;
    uint64_t spaces, documents, chunks, tokens;
    uint64_t text_bytes;       /* original text */
    uint64_t text_bytes_disk;  /* the same, compressed */
    uint64_t state_bytes_raw;  /* states as fp32 */
    uint64_t state_bytes_disk; /* states as stored */
    uint64_t key_bytes, index_bytes, meta_bytes;
    uint64_t disk_bytes;        /* whole directory */
    uint64_t reclaimable_bytes; /* free after deletions, not yet given back */
    uint64_t cache_bytes, cache_hits, cache_misses;
    uint64_t generation;       /* grows with every change */
    uint64_t index_generation; /* the newest change that the index has */
    uint8_t model_fingerprint[32];
    /* If struct_size ends here, the library does not fill the fields below. */
    uint64_t budget_bytes;                     /* 0: none */
    uint64_t document_chunks, document_tokens; /* sums over all documents; `chunks` and `tokens`
                                                  count once what documents share */
    uint64_t pointer_bytes;                    /* pointer keys of tokens, for models that copy */
} rpt_store_stats;
/* Reads counters that the store keeps, all of one moment. Cheap. */
RPT_API rpt_status rpt_store_get_stats(rpt_store* store, rpt_store_stats* stats, rpt_error* err);
/* Drops the search index and builds it from the stored keys. Call it if the index may be wrong. */
RPT_API rpt_status rpt_store_rebuild_index(rpt_store* store, const rpt_call* call, rpt_error* err);

/* Sets how many bytes the store's folder may take, as `du` counts them; 0: no limit. The store
 * keeps the number for all who open it. If it needs room it drops model states, by far its largest
 * part, and first those that were unused for longest. Texts and keys stay. So searches find what
 * they found before, and the library computes dropped states again when it needs them. The folder
 * stays within the budget also while the library writes, with one exception: a segment of a
 * document (at most 16 KiB of text and its states) that takes more than the eighth kept free for
 * the log. A budget of few MiB may meet that. NO_SPACE if texts and keys alone are more; nothing is
 * lost then. ARGUMENT below 1 MiB. */
RPT_API rpt_status rpt_store_set_budget(rpt_store* store, uint64_t bytes, const rpt_call* call,
                                        rpt_error* err);
/* Erases what deletions left and gives the space back to the file system. It works in small steps,
 * and other calls go on meanwhile. On return no file of the store holds a byte of what was deleted
 * before the call. After CANCELLED and TIMEOUT the steps already made stay. BUSY while a reader
 * still uses the log. */
RPT_API rpt_status rpt_store_compact(rpt_store* store, const rpt_call* call, rpt_error* err);
/* Writes a copy of the store, as it is at the call, into the folder `path`. EXISTS if there is a
 * store already. Others may read and write meanwhile. To restore, open the copy, or copy it with
 * rpt_store_restore. */
RPT_API rpt_status rpt_store_backup(rpt_store* store, const char* path, const rpt_call* call,
                                    rpt_error* err);
/* Checks the copy `from` in full, then makes the store `to` of it. EXISTS if `to` holds a store.
 * CORRUPT with the first finding if `from` is damaged; `to` is not made then. */
RPT_API rpt_status rpt_store_restore(rpt_env* env, const char* from, const char* to,
                                     const rpt_call* call, rpt_error* err);
/* Brings a store that an older library wrote to the format of this one, in place. After a failure
 * or a crash the store is as it was. OK also if there is nothing to do. BUSY if the store is open
 * anywhere, VERSION if it is newer than this library. */
RPT_API rpt_status rpt_store_upgrade(rpt_env* env, const char* path, const rpt_call* call,
                                     rpt_error* err);

#define RPT_CHECK_QUICK 0 /* structure, catalogue and sums */
#define RPT_CHECK_FULL 1  /* also every checksum of every record */
#define RPT_CHECK_DEEP 2  /* also every record against a new run of the model; needs the model */
#define RPT_FINDING_NOTE 1
#define RPT_FINDING_DAMAGE 2
typedef struct rpt_finding {
    uint32_t struct_size;
    int32_t severity; /* RPT_FINDING_* */
    rpt_str text;     /* one line: what, where, what to do; valid in the call */
} rpt_finding;
/* Return 0 to go on, > 0 to end the check with RPT_OK, < 0 with RPT_ERR_CALLBACK. */
typedef int32_t (*rpt_finding_fn)(void* user, const rpt_finding* finding);
/* Looks for damage in the store as it is at the call. Returns OK whatever it finds. `damaged`
 * counts the findings of severity RPT_FINDING_DAMAGE. `damaged` and `visit` may be NULL. */
RPT_API rpt_status rpt_store_check(rpt_store* store, int32_t level, const rpt_call* call,
                                   rpt_finding_fn visit, void* user, uint64_t* damaged,
                                   rpt_error* err);

/* Return 0 to go on; > 0 ends the listing with RPT_OK, < 0 with RPT_ERR_CALLBACK. Strings are valid
 * in the call. */
typedef int32_t (*rpt_space_visit_fn)(void* user, const char* owner, const char* collection);
/* Visits every space of the store as it is at the call, in byte order. For administration: it gives
 * names, not handles. */
RPT_API rpt_status rpt_store_list_spaces(rpt_store* store, rpt_space_visit_fn visit, void* user,
                                         rpt_error* err);

/* ---- Spaces ---- */

#define RPT_SPACE_CREATE 0x1u
/* Opens a space. Owner and collection are names of 1 to 255 bytes; the library gives them no
 * meaning. Without CREATE, NOT_FOUND if the space is not there. */
RPT_API rpt_status rpt_space_open(rpt_store* store, const char* owner, const char* collection,
                                  uint32_t flags, rpt_space** out, rpt_error* err);
/* Deletes a space with all its documents in one step. Handles to it then answer RPT_ERR_NOT_FOUND.
 */
RPT_API rpt_status rpt_space_drop(rpt_store* store, const char* owner, const char* collection,
                                  const rpt_call* call, rpt_error* err);
/* As rpt_store_set_budget, for one space: its texts, keys and states with their rows. */
RPT_API rpt_status rpt_space_set_budget(rpt_space* space, uint64_t bytes, const rpt_call* call,
                                        rpt_error* err);
RPT_API void rpt_space_close(rpt_space* space);

/* ---- Documents: writing ---- */

/* The key may exist; the old text stays visible until rpt_doc_finish. */
#define RPT_DOC_REPLACE 0x1u
/* Invalid bytes are read as U+FFFD; spans still count the original bytes. */
#define RPT_DOC_LOSSY_UTF8 0x2u
/* Do not keep the original bytes. This saves space and hides nothing, because the tokens stay. */
#define RPT_DOC_DISCARD_TEXT 0x4u
typedef struct rpt_doc_options {
    uint32_t struct_size;
    uint32_t flags;        /* RPT_DOC_* */
    const char* key;       /* required; unique in its space */
    const char* uri;       /* where the text came from, for people; may be NULL */
    const char* meta_json; /* JSON of at most 65536 bytes, kept as it is; may be NULL */
    int64_t timestamp_ms;  /* Unix time of the text; 0: now */
} rpt_doc_options;
#define RPT_DOC_OPTIONS_INIT \
    { sizeof(rpt_doc_options), 0, NULL, NULL, NULL, 0 }

#define RPT_DOC_FINISHED 0x1u /* in rpt_doc_info.flags */
typedef struct rpt_doc_info {
    uint32_t struct_size;
    uint32_t flags; /* RPT_DOC_FINISHED */
    uint64_t doc_id, revision;
    uint64_t bytes_accepted;   /* that the writer took; of a stored document: its durable text */
    uint64_t bytes_searchable; /* that chunks in the store cover */
    uint64_t tokens, chunks;
    int64_t timestamp_ms;
    uint8_t content_hash[32]; /* SHA-256 of the original bytes once finished, else zero */
} rpt_doc_info;

/* Starts to write a document. EXISTS if the key is there and REPLACE is not set, BUSY while another
 * writer has the key, STATE if the store was opened without a model. */
RPT_API rpt_status rpt_doc_begin(rpt_space* space, const rpt_doc_options* options, rpt_doc** out,
                                 rpt_error* err);
/* Goes on with a stored document, finished or not: append, splice, then finish again. The stored
 * text stays visible all the time. From the first change on the document counts as unfinished.
 * UNSUPPORTED if its text was discarded. `flags`: RPT_DOC_LOSSY_UTF8. */
RPT_API rpt_status rpt_doc_resume(rpt_space* space, const char* key, uint32_t flags, rpt_doc** out,
                                  rpt_error* err);
/* Adds bytes and encodes the segments that are now complete. You may cut the bytes anywhere, also
 * within a character: the stored result depends on the text alone. UTF8 gives the offset of the
 * first invalid byte in the document and takes nothing. After another failure (CANCELLED, TIMEOUT,
 * DEVICE, IO) the writer has taken all the bytes or none, as rpt_doc_offset tells, and the next
 * call goes on with the work. Bytes are durable after a flush. */
RPT_API rpt_status rpt_doc_append(rpt_doc* doc, const void* bytes, size_t size,
                                  const rpt_call* call, rpt_error* err);
/* Bytes that the writer took in calls that have returned. Never waits; 0 for NULL. */
RPT_API uint64_t rpt_doc_offset(const rpt_doc* doc);

typedef struct rpt_splice_info {
    uint32_t struct_size;
    uint32_t reserved0;
    rpt_span looked_at; /* bytes of the new text that were cut into segments again */
    uint64_t tokens;    /* that were encoded; does not grow with the document */
} rpt_splice_info;
/* Replaces the bytes [begin, end) of the document by `size` others: an edit. The call first flushes
 * what was appended. On return the change is durable and searchable, as one transaction. The model
 * reads the new bytes and at most a few thousand tokens around them, wherever they are. ARGUMENT
 * for a span outside the text or one that cuts a character, UTF8 for invalid new bytes (offset in
 * them). `info` may be NULL. */
RPT_API rpt_status rpt_doc_splice(rpt_doc* doc, uint64_t begin, uint64_t end, const void* bytes,
                                  size_t size, const rpt_call* call, rpt_splice_info* info,
                                  rpt_error* err);

/* Write the unfinished chunk at the end too; the next flush replaces it. */
#define RPT_FLUSH_TAIL 0x1u
/* Writes complete chunks in one transaction. Searches see them on return, or with REPLACE after
 * finish. After a failure you may flush again. `info` may be NULL. */
RPT_API rpt_status rpt_doc_flush(rpt_doc* doc, uint32_t flags, const rpt_call* call,
                                 rpt_doc_info* info, rpt_error* err);
/* Writes everything and ends the document. With REPLACE the new text takes the place of the old one
 * in one step. If the text ends within a character the call returns UTF8 with its offset, and the
 * writer stays open. An empty document is legal. Afterwards the writer answers RPT_ERR_STATE; free
 * it. */
RPT_API rpt_status rpt_doc_finish(rpt_doc* doc, const rpt_call* call, rpt_doc_info* info,
                                  rpt_error* err);
/* Frees the writer. Without finish, what was flushed stays and the rest is lost; with REPLACE the
 * old document stays as it was. */
RPT_API void rpt_doc_free(rpt_doc* doc);

/* Computes content_hash of a text, SHA-256 over all bytes added. Compare it before you read a text
 * again that may be stored already. One thread at a time. Every function ignores NULL. */
typedef struct rpt_hash rpt_hash;
RPT_API rpt_hash* rpt_hash_new(void); /* NULL if memory is out */
RPT_API void rpt_hash_add(rpt_hash* hash, const void* bytes, size_t size);
/* Writes 32 bytes. You may add more afterwards. */
RPT_API void rpt_hash_get(const rpt_hash* hash, uint8_t* digest);
RPT_API void rpt_hash_free(rpt_hash* hash);

/* ---- Documents: stored ---- */

/* Deletes a document. No retrieval that starts after the return finds it. NOT_FOUND if it is not
 * there. */
RPT_API rpt_status rpt_doc_delete(rpt_space* space, const char* key, rpt_error* err);
RPT_API rpt_status rpt_doc_stat(rpt_space* space, const char* key, rpt_doc_info* info,
                                rpt_error* err);
/* Copies original bytes from `offset` on. *got is smaller than `capacity` only at the end of the
 * text. UNSUPPORTED if the text was discarded. */
RPT_API rpt_status rpt_doc_read(rpt_space* space, const char* key, uint64_t offset, void* buffer,
                                size_t capacity, size_t* got, rpt_error* err);

#define RPT_FIELD_URI 1
#define RPT_FIELD_META 2
/* Copies as much of the field as fits into `buffer`. *size is the size of the whole field, 0 if the
 * document has none. To ask for the size alone pass NULL with capacity 0. */
RPT_API rpt_status rpt_doc_get_field(rpt_space* space, const char* key, int32_t field, char* buffer,
                                     size_t capacity, size_t* size, rpt_error* err);

/* Return 0 to go on; > 0 ends the listing with RPT_OK, < 0 with RPT_ERR_CALLBACK. Pointers are
 * valid in the call. */
typedef int32_t (*rpt_doc_visit_fn)(void* user, const char* key, const rpt_doc_info* info);
/* Visits the documents with keys after `after_key` (NULL: all) in byte order of keys. A document
 * that exists during the whole listing is visited exactly once. The visitor may write to the store.
 */
RPT_API rpt_status rpt_doc_list(rpt_space* space, const char* after_key, rpt_doc_visit_fn visit,
                                void* user, rpt_error* err);

#define RPT_CHUNK_PROVISIONAL 0x1u /* an unfinished chunk at the end of a document */
typedef struct rpt_chunk_info {
    uint32_t struct_size;
    uint32_t flags;   /* RPT_CHUNK_* */
    uint64_t ordinal; /* number in its document, from 0 */
    rpt_span span;    /* bytes of the document */
    uint32_t tokens;
    uint32_t key_dim;
    float key_norm;  /* Euclidean length of the stored key */
    float state_rms; /* root mean square of the stored states; 0: a budget dropped them */
} rpt_chunk_info;
/* Facts of one stored chunk. NOT_FOUND if there is no such document or chunk. */
RPT_API rpt_status rpt_doc_get_chunk(rpt_space* space, const char* key, uint64_t ordinal,
                                     rpt_chunk_info* info, rpt_error* err);

typedef struct rpt_segment_info {
    uint32_t struct_size;
    uint32_t reserved0;
    uint64_t segment_id; /* unique in the store; documents of a space share equal segments */
    rpt_span span;       /* bytes of the document */
    uint64_t chunks;
    uint8_t identity[32]; /* hash of text and context; zero: the unfinished end of a document */
} rpt_segment_info;
/* Facts of one segment. The library cuts a document into segments and encodes each by itself;
 * `number` counts them from 0. NOT_FOUND if there is no such document or segment. */
RPT_API rpt_status rpt_doc_get_segment(rpt_space* space, const char* key, uint64_t number,
                                       rpt_segment_info* info, rpt_error* err);

#define RPT_CHUNK_TOKENS 0 /* int32_t */
#define RPT_CHUNK_KEY 1    /* float[key_dim] */
#define RPT_CHUNK_STATES 2 /* float[tokens][width of a state]; empty if a budget dropped them */
/* Copies as much of one part of a stored chunk as fits into `buffer`. *size is the size of the
 * whole part in bytes. NOT_FOUND if there is no such document or chunk. */
RPT_API rpt_status rpt_doc_read_chunk(rpt_space* space, const char* key, uint64_t ordinal,
                                      int32_t part, void* buffer, size_t capacity, size_t* size,
                                      rpt_error* err);

/* ---- Retrieval ---- */

#define RPT_RETRIEVE_TEXT 0x1u /* fill text and next_text of the hits */
/* Scan every key instead of the index. Small spaces are always scanned. */
#define RPT_RETRIEVE_EXACT 0x2u
#define RPT_RETRIEVE_SINCE 0x1u
#define RPT_RETRIEVE_BEFORE 0x2u
/* Legs: ways to compare a text with the chunks. KEYS: what the model makes of the last
 * chunk_tokens tokens. WORDS: words and identifiers (BM25). GRAMS: the four-character pieces of
 * words (BM25), for other forms of a word. DEFINITIONS: chunks that define a name of the text.
 * STATES: the model's states of the last tokens, compared with those of the best chunks of the
 * other legs; of models with pointer keys alone. Bit i is leg number i. */
#define RPT_LEG_KEYS 0x1u
#define RPT_LEG_WORDS 0x2u
#define RPT_LEG_GRAMS 0x4u
#define RPT_LEG_DEFINITIONS 0x8u
#define RPT_LEG_STATES 0x10u
typedef struct rpt_retrieve_options {
    uint32_t struct_size;
    uint32_t flags;          /* RPT_RETRIEVE_* */
    uint32_t k;              /* hits wanted, at most 1024; 0: the number of the session or model */
    uint32_t max_per_doc;    /* 0: no limit */
    float min_score;         /* counts if has_min_score is 1 */
    uint32_t has_min_score;  /* 0 or 1 */
    const char* exclude_key; /* leave out this document; NULL: none */
    rpt_span exclude_bytes;  /* if not empty, leave out only its chunks that touch these bytes */
    /* If struct_size ends here, rpt_retrieve asks RPT_LEG_KEYS alone. */
    uint32_t legs;           /* RPT_LEG_*, summed; 0: all that the model has. ARGUMENT for others
                                than 0 and KEYS where a session retrieves: it asks KEYS alone */
    uint32_t has_times;      /* RPT_RETRIEVE_SINCE, RPT_RETRIEVE_BEFORE: which of these count */
    int64_t since_ms;        /* documents with timestamp_ms of at least this ... */
    int64_t before_ms;       /* ... and below this */
    const char* key_pattern; /* documents whose key it matches, NULL: all. `*` stands for any
                                characters, slashes too, `?` for one */
} rpt_retrieve_options;
#define RPT_RETRIEVE_OPTIONS_INIT \
    { sizeof(rpt_retrieve_options), 0, 0, 0, 0, 0, NULL, {0, 0}, 0, 0, 0, 0, NULL }

/* The hit is a chunk of the session's own past. Only score, gate, ordinal, span and text count. */
#define RPT_HIT_OWN 0x1u
/* The chunk was read through the upper layers (RPT_READ_UPPER). Its score is the part of the last
 * tokens' attention that its tokens have, 0 to 1, and its gate is 1. */
#define RPT_HIT_UPPER 0x2u
/* The text of the chunk and of its successor stood before what was read last (RPT_READ_TEXT). Score
 * and gate as above. */
#define RPT_HIT_TEXT 0x4u
typedef struct rpt_hit {
    uint32_t struct_size;
    uint32_t flags; /* RPT_HIT_* */
    uint32_t rank;  /* 0: best */
    float score;    /* of RPT_LEG_KEYS alone: a scaled dot product, comparable within one model, not
                       a probability. Of several legs: 0 to 1, 1 if it is the first in each */
    float gate;     /* how much the chunk counted for the model, 0 to 1; 1 if the model did not read
                       it */
    uint32_t reserved0;
    uint64_t chunk_id; /* unique in the store; no later chunk gets the same */
    uint64_t doc_id, revision;
    uint64_t ordinal;    /* number of the chunk in its document */
    rpt_span span, next; /* the chunk, and its successor that the model reads with it; empty if
                            there is none */
    rpt_str owner, collection, key, uri; /* live as long as the hits */
    rpt_str text, next_text;             /* likewise; empty without RPT_RETRIEVE_TEXT */
    int64_t timestamp_ms;
    /* If struct_size ends here, the library does not fill the fields below. */
    float copied; /* share of the probability of a range of tokens that was copied from the chunk, 0
                     to 1; 0 for a chunk that was read otherwise. Then score has no meaning */
    uint32_t reserved1;
    /* If struct_size ends here, the library does not fill the fields below. By number of the leg: */
    uint32_t leg_ranks[8]; /* 1: its best hit; 0: it has not found the chunk, or was not asked */
    float leg_scores[8];   /* as the leg counts, comparable within one search */
} rpt_hit;

/* Finds what belongs to `text`. RPT_LEG_KEYS asks with its last chunk_tokens tokens, or with all of
 * it if it is shorter; the other legs ask with all of it. Several legs give one order, by the sum of
 * reciprocal ranks: a chunk that two legs know comes before one that a single leg knows. Only KEYS
 * finds documents whose text was discarded. The search covers 1 to 64 spaces of one store, and each
 * space counts its words by itself. The best hit is first; equal scores are ordered by chunk_id, so
 * equal stores give equal answers. No hits is a success. */
RPT_API rpt_status rpt_retrieve(rpt_space* const* spaces, size_t n_spaces, const void* text,
                                size_t size, const rpt_retrieve_options* options,
                                const rpt_call* call, rpt_hits** out, rpt_error* err);
/* 0 for NULL. */
RPT_API size_t rpt_hits_count(const rpt_hits* hits);
/* One hit as the search found it. Later changes of the store do not change it. Strings live as long
 * as `hits`. */
RPT_API rpt_status rpt_hits_get(const rpt_hits* hits, size_t index, rpt_hit* hit, rpt_error* err);
RPT_API void rpt_hits_free(rpt_hits* hits);

/* ---- Sessions ---- */

/* The session can retrieve its own text after it left the window. Kept in memory, for this session
 * alone. */
#define RPT_SESSION_SELF_MEMORY 0x1u
/* Ways to read the memory. CCA: a search finds chunks, and cross-attention reads them. COPY: tokens
 * that followed places like this one are mixed into the prediction. UPPER: chunks that hold places
 * like the last ones pass through the upper layers, which attend to them beside the window. TEXT: when
 * something is asked, the text of such chunks stands before the last of what was read; then scores of
 * two parts of a text do not add up to that of the whole. */
#define RPT_READ_CCA 0x1u
#define RPT_READ_COPY 0x2u
#define RPT_READ_UPPER 0x4u
#define RPT_READ_TEXT 0x8u
typedef struct rpt_session_options {
    uint32_t struct_size;
    uint32_t flags;           /* RPT_SESSION_* */
    rpt_space* const* spaces; /* to retrieve from; all of one store that was opened with `model` */
    size_t n_spaces;          /* 0 to 64 */
    uint32_t neighbours;      /* chunks retrieved for each chunk that is read, at most 1024; 0: the
                                 number in rpt_model_info. More predict better and cost time */
    uint32_t reserved0;
    uint32_t reading; /* RPT_READ_*, summed; 0: the model's choice. UNSUPPORTED for a way that the
                         model lacks */
    uint32_t reserved1;
} rpt_session_options;
#define RPT_SESSION_OPTIONS_INIT \
    { sizeof(rpt_session_options), 0, NULL, 0, 0, 0, 0, 0 }

/* Begins a session of `model` with an empty text. Sessions write nothing to a store. */
RPT_API rpt_status rpt_session_new(rpt_model* model, const rpt_session_options* options,
                                   rpt_session** out, rpt_error* err);
/* Reads on. You may cut the bytes anywhere; a character that is cut at the end waits for the next
 * read. UTF8 takes nothing. After CANCELLED or TIMEOUT the session holds the bytes up to
 * rpt_session_offset. A word of more than 4096 bytes reaches the model in parts. */
RPT_API rpt_status rpt_session_read(rpt_session* session, const void* bytes, size_t size,
                                    const rpt_call* call, rpt_error* err);
/* Forgets the text behind `byte_offset`. ARGUMENT for an offset within a character or behind the
 * end. Cheap near the end; otherwise the session reads again from a checkpoint. */
RPT_API rpt_status rpt_session_rewind(rpt_session* session, uint64_t byte_offset,
                                      const rpt_call* call, rpt_error* err);
/* Bytes that the session holds after the last call that returned. Never waits, not even while the
 * session works; 0 for NULL. */
RPT_API uint64_t rpt_session_offset(const rpt_session* session);
/* Finds what a continuation from here would read first.
 *
 * Two queries share the hits evenly: the last whole chunk and the last line. The line has at least
 * four tokens; of a line with more than chunk_tokens / 4 tokens the last chunk_tokens / 8 count.
 * With max_per_doc the chunk is the only query. With k 0, a stored chunk that stands out as the
 * answer to the line is the only hit, because the model then reads nothing else.
 *
 * With SELF_MEMORY half of the hits come from the session's own past, if it has so many; the others
 * are the best of past and spaces. */
RPT_API rpt_status rpt_session_retrieve(rpt_session* session, const rpt_retrieve_options* options,
                                        const rpt_call* call, rpt_hits** out, rpt_error* err);
RPT_API void rpt_session_free(rpt_session* session);

#define RPT_SPEAKER_USER 1
#define RPT_SPEAKER_ASSISTANT 2 /* the model */
/* One turn of a conversation. The record never grows, because arrays hold it. */
typedef struct rpt_turn {
    int32_t speaker; /* RPT_SPEAKER_* */
    uint32_t reserved0;
    rpt_str text;
} rpt_turn;
/* What the model answers in a conversation. The library writes the prompt in the form that the
 * model was trained with. No text becomes one of the tokens that begin or end a turn, whatever is
 * in it. */
typedef struct rpt_chat {
    uint32_t struct_size;
    uint32_t flags;        /* none defined */
    rpt_str system;        /* what the model is told beforehand; empty: what its form says */
    const rpt_turn* turns; /* before the message, the oldest first; at most 65536 */
    size_t n_turns;
    const rpt_str* notes; /* that the message is answered with, the best first; at most 64. They
                             stand before the message, under "My notes" */
    size_t n_notes;
    rpt_str message; /* the user's turn that is answered; required */
} rpt_chat;
#define RPT_CHAT_INIT                                       \
    {                                                       \
        sizeof(rpt_chat), 0, {NULL, 0}, NULL, 0, NULL, 0, { \
            NULL, 0                                         \
        }                                                   \
    }

#define RPT_GENERATE_NO_MEMORY 0x1u /* retrieve nothing */
#define RPT_GENERATE_HITS 0x2u      /* deliver RPT_EVENT_HITS */
typedef struct rpt_generate_options {
    uint32_t struct_size;
    uint32_t flags;         /* RPT_GENERATE_* */
    uint32_t max_tokens;    /* 0: 256 */
    uint32_t top_k;         /* 0: off */
    float temperature;      /* 0: the likeliest token */
    float top_p;            /* 0 or 1: off */
    float repeat_penalty;   /* 0 or 1: off */
    uint32_t repeat_window; /* tokens looked back; 0: 64 */
    uint64_t seed;          /* 0: the library chooses and reports one. The same build, processor,
                               number of threads and seed give the same text */
    const rpt_str* stop;    /* the text ends before the first of these strings, at most 64 */
    size_t n_stop;
    const rpt_retrieve_options* retrieve; /* NULL: defaults */
    rpt_str suffix; /* the text behind a gap that the model is to fill; empty: the model continues
                       the text. If struct_size ends before this field, it is empty */
    const rpt_chat* chat; /* the conversation that the model answers; NULL: it continues the text.
                             If struct_size ends before this field, it is NULL */
} rpt_generate_options;
#define RPT_GENERATE_OPTIONS_INIT \
    { sizeof(rpt_generate_options), 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, {NULL, 0}, NULL }

#define RPT_FINISH_NONE 0   /* the call failed or was cancelled */
#define RPT_FINISH_STOP 1   /* a stop string came */
#define RPT_FINISH_EOS 2    /* the model ended the text */
#define RPT_FINISH_LENGTH 3 /* max_tokens were generated */
#define RPT_FINISH_HOST 4   /* the callback returned a positive value */
typedef struct rpt_generate_result {
    uint32_t struct_size;
    int32_t finish;         /* RPT_FINISH_* */
    uint32_t stop_index;    /* which stop string, with RPT_FINISH_STOP */
    uint32_t retrievals;    /* searches made */
    uint64_t tokens, bytes; /* tokens generated; bytes delivered */
    uint64_t seed;          /* that was used */
    int64_t first_token_us, total_us;
    /* If struct_size ends here, the library does not fill the fields below. */
    uint32_t chat_turns, chat_notes; /* of `chat` that the prompt held */
} rpt_generate_result;

#define RPT_EVENT_TEXT 1 /* has text: whole characters, never a part of a stop string that came */
#define RPT_EVENT_HITS                                                                       \
    2                   /* has hits: comes before the first text that they shaped. Hits with \
                           `copied` come behind the text, for the tokens from at_token on */
#define RPT_EVENT_END 3 /* has status: comes once and last, whatever happened */
typedef struct rpt_event {
    uint32_t struct_size;
    int32_t type;         /* RPT_EVENT_* */
    rpt_str text;         /* valid in the callback */
    const rpt_hits* hits; /* likewise */
    uint64_t at_token;    /* tokens generated before this event, in every event but HITS of what
                             was copied */
    rpt_status status;    /* END: what rpt_session_generate returns */
    uint32_t reserved0;
} rpt_event;
/* Return 0 to go on, > 0 to stop (RPT_FINISH_HOST, a success), < 0 to fail with RPT_ERR_CALLBACK.
 * The library ignores the answer to END. */
typedef int32_t (*rpt_event_fn)(void* user, const rpt_event* event);

/* Continues the text of the session. However the call ends, the session then holds exactly the text
 * that was delivered. Once the arguments are accepted END comes, even if the call fails.
 * RPT_ERR_UTF8 while a cut character waits. `on_event` and `result` may be NULL. `result` is filled
 * on failure too, with the figures up to then.
 *
 * With a suffix the model fills the gap between the session's text and the suffix. It reads the
 * last part of the text and the first part of the suffix, and ends (RPT_FINISH_EOS) where the
 * suffix goes on. Both parts together have window_tokens, less 4, less room for the answer:
 * max_tokens, at most block_tokens / 2. The suffix gets a third of that, the text two; each may
 * take what the other leaves free. The model retrieves as without a suffix: from the spaces and,
 * with SELF_MEMORY, from the text before the part that it reads again. The suffix does not join the
 * session. RPT_ERR_UTF8 for an invalid suffix (offset in it), RPT_ERR_UNSUPPORTED if the tokenizer
 * has no tokens for gaps. A model that was not trained with gaps answers at random.
 *
 * With `chat` the model answers a conversation. The prompt is the system's text, the turns, and the
 * message with its notes. It has window_tokens, less 1, less room for the answer as above. Turns
 * that find no room are left out from the oldest on, so that a user's turn comes first; then notes,
 * the worst first. TOO_LARGE if the message does not fit by itself. The answer ends
 * (RPT_FINISH_EOS) where the model ends its turn. The session's text is no part of the prompt. It
 * is the session's past: from it and from the spaces the model retrieves in the session's ways but
 * RPT_READ_TEXT. The session stays as it is. UNSUPPORTED if the library does not know the model's
 * form of a conversation, see RPT_MODEL_CHATS; UTF8 for an invalid text (offset in it). ARGUMENT
 * together with a suffix. */
RPT_API rpt_status rpt_session_generate(rpt_session* session, const rpt_generate_options* options,
                                        const rpt_call* call, rpt_event_fn on_event, void* user,
                                        rpt_generate_result* result, rpt_error* err);

#define RPT_SCORE_NO_MEMORY 0x1u /* measure without retrieval */
typedef struct rpt_score {
    uint32_t struct_size;
    uint32_t retrievals; /* searches made */
    uint64_t tokens, bytes;
    double nll;           /* nats, summed; perplexity is exp(nll / tokens) */
    double bits_per_byte; /* comparable between tokenizers */
} rpt_score;
typedef struct rpt_scored_chunk {
    uint32_t struct_size;
    uint32_t reserved0;
    rpt_span span; /* bytes of the scored text */
    uint64_t tokens;
    double nll;
    const rpt_hits* hits; /* that shaped these tokens; NULL if there are none. Valid in the
                             callback */
} rpt_scored_chunk;
/* Return 0 to go on. Anything else ends the call with RPT_ERR_CALLBACK. */
typedef int32_t (*rpt_score_visit_fn)(void* user, const rpt_scored_chunk* chunk);
/* Measures how surprising `text` is after the session's text. The session stays as it is. `visit`
 * gets each chunk of `text` in order; it may be NULL. */
RPT_API rpt_status rpt_session_score(rpt_session* session, const void* text, size_t size,
                                     uint32_t flags, const rpt_call* call, rpt_score_visit_fn visit,
                                     void* user, rpt_score* score, rpt_error* err);

#ifdef __cplusplus
}
#endif

#endif
