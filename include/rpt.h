/* rpt.h - the C interface of librpt: a reader with a memory.
 *
 * The library reads documents into a store on disk as searchable model states, and continues or
 * scores any text with what the store holds. This header is the whole stable surface: C99, no
 * third-party types, 64-bit platforms.
 *
 * Objects
 *   rpt_env      worker threads and log of one user of the library
 *   rpt_model    weights and tokenizer; read-only once open
 *   rpt_store    a memory on disk: one directory
 *   rpt_space    permission to use one (owner, collection) of a store; nothing searches wider than
 *                its spaces
 *   rpt_doc      a writer of one document
 *   rpt_session  a text being read, continued or scored
 *   rpt_hits     the answer of one retrieval
 *   rpt_cancel   a flag that ends calls early
 *
 * Rules for every function
 *  1. Status. A function that can fail returns rpt_status: 0 is success, a negative value failure.
 *     New codes may come with any minor release; treat unknown negative codes as failures of a
 *     kind you do not handle.
 *  2. Error. The last parameter may be NULL. Otherwise its struct_size must be set (RPT_ERROR_INIT
 *     does it), to between 48 and 65536, or the call does nothing, leaves *err alone and returns
 *     RPT_ERR_ARGUMENT. The record is written on failure only, is complete in itself and owns
 *     nothing.
 *  3. All or nothing. A call that failed has changed nothing, unless its comment says otherwise.
 *     Out parameters are cleared first: handles to NULL, numbers and records to zero.
 *  4. Options. NULL means all defaults, and so does zero in a field. A longer struct than the
 *     library knows is fine while what it does not know is zero, else RPT_ERR_UNSUPPORTED. A
 *     shorter one than the first release had, an unknown flag bit or a value out of range is
 *     RPT_ERR_ARGUMENT. Nothing in options need outlive the call.
 *  5. Results. The caller sets struct_size of a record to be filled; the library fills what both
 *     sides know and clears the rest.
 *  6. Text is a pointer and a length, UTF-8, and may hold NUL bytes. Names, keys and paths end
 *     with NUL, are UTF-8 without control characters, at most 1023 bytes (owner and collection
 *     255, paths what the system allows).
 *  7. Offsets and spans count bytes of the original text, whatever the tokenizer made of it.
 *  8. Ownership. A handle received through an out parameter is the caller's to close or free.
 *     Pointers found in records are borrowed; each comment names the owner. Objects hold what they
 *     are made of, so any order of closing is legal: a store lives on until its last session has
 *     gone. Closing NULL does nothing.
 *  9. Threads. env, model, store, space, cancel: any thread at any time. doc, session: one thread
 *     at a time; a second one gets RPT_ERR_BUSY. hits: any number of readers, freed by one.
 *     Records: plain values.
 * 10. Callbacks run on the thread that made the call, with no lock held, and may use every other
 *     object; the object that is being worked on answers RPT_ERR_BUSY. The log callback is
 *     different: it may come from any thread and may call nothing but rpt_cancel_request. A
 *     callback must return normally: no exception, no longjmp.
 * 11. The library prints nothing and never ends the process. It leaves signal handlers, locale,
 *     working directory and standard streams alone. Its threads start in or after rpt_env_open and
 *     take no signals.
 * 12. After fork, handles of the parent answer RPT_ERR_FORKED in the child; closing them there
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

/* The three may be called first of all, from any thread, and cannot fail. The strings live as long
 * as the library. */
RPT_API uint32_t rpt_version_number(void);
RPT_API const char* rpt_version_string(void);
/* One line of JSON: versions of what the library was built with, compiler, sanitizers, GPU. Belongs
 * in bug reports. */
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
#define RPT_ERR_VERSION (-11)        /* a file format this library does not read; a newer one may */
#define RPT_ERR_CORRUPT (-12)        /* checksum or structure of a file is wrong */
#define RPT_ERR_MODEL_MISMATCH (-13) /* the store was written with another model */
#define RPT_ERR_READ_ONLY (-14)
#define RPT_ERR_UTF8 (-15) /* invalid or cut UTF-8; error.offset says where */
#define RPT_ERR_TOO_LARGE (-16)
/* The object is in no state for this: closed, finished, without a model. */
#define RPT_ERR_STATE (-17)
#define RPT_ERR_NO_SPACE (-18) /* the disk is full or a file reached its limit */
#define RPT_ERR_CALLBACK (-19) /* a callback of the host returned a negative value */
#define RPT_ERR_FORKED (-20)   /* the handle belongs to the parent process */
#define RPT_ERR_DEVICE (-21)   /* the device asked for is not there or failed */

/* Name of a status, such as "RPT_ERR_IO"; "RPT_ERR_?" for numbers unknown to the library. Never
 * fails; static. */
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
    char message[464]; /* one line of UTF-8: what failed, on what, why, what to try; never user text
                          in full */
} rpt_error;
#define RPT_ERROR_INIT \
    { sizeof(rpt_error), 0, 0, 0, -1, "", "" }

/* ---- Small values ---- */

/* These two are frozen: they are members of other records and will never grow. */
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
/* One whole line without newline; `text` ends with NUL at text[size] and is valid during the call.
 * Calls may overlap. */
typedef void (*rpt_log_fn)(void* user, int32_t level, const char* domain, const char* text,
                           size_t size);

typedef struct rpt_env_options {
    uint32_t struct_size;
    uint32_t flags;           /* none defined */
    uint32_t worker_threads;  /* model calls that run at once, at most 64; 0: one, which is fastest
                                 on most machines */
    uint32_t compute_threads; /* threads of one model call; 0: one. One value a process:
                                 see rpt_env_open */
    int32_t log_level;        /* lines up to this level are delivered; 0: none */
    uint32_t reserved0;
    rpt_log_fn log;
    void* log_user;
} rpt_env_options;
#define RPT_ENV_OPTIONS_INIT \
    { sizeof(rpt_env_options), 0, 0, 0, 0, 0, NULL, NULL }

/* Makes an environment. Any number may exist. compute_threads holds for the whole process: the
 * first environment decides, a later one that wants another number gets a warning in its log. Model
 * and disk work runs on threads of the environment with stacks of their own, so hosts with small
 * stacks are safe; the calling thread waits. */
RPT_API rpt_status rpt_env_open(const rpt_env_options* options, rpt_env** out, rpt_error* err);
/* Ends the work of an environment. Calls in flight without a cancel token are cancelled; others are
 * waited for (at most one block of tokens after their token was set). Later calls on its objects
 * answer RPT_ERR_STATE. Its threads are gone on return. Objects made from it must still be closed,
 * before or after. Not from a callback. */
RPT_API void rpt_env_close(rpt_env* env);

/* ---- Control of one call ---- */

/* A cancel token is counted: calls that use it keep it, so it may be freed while they run. A
 * request stays: make a new token for the next action. NULL if memory is out. */
RPT_API rpt_cancel* rpt_cancel_new(void);
/* Stores one flag: from any thread, from a signal handler, more than once, before, during or after
 * a call. */
RPT_API void rpt_cancel_request(rpt_cancel* token);
RPT_API void rpt_cancel_free(rpt_cancel* token);

/* `total` may be 0 when unknown. Return 0 to go on, anything else to cancel the call. */
typedef int32_t (*rpt_progress_fn)(void* user, uint64_t done, uint64_t total);

/* Taken by every call that can be long. Looked at between blocks of tokens, pages and documents. */
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
#define RPT_DEVICE_CUDA 2 /* RPT_ERR_DEVICE if there is none; no silent fall-back */
#define RPT_DTYPE_MODEL 0 /* what suits model and device */
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

typedef struct rpt_model_info {
    uint32_t struct_size;
    uint32_t chunk_tokens;  /* m: what is retrieved, and how often */
    uint32_t block_tokens;  /* S: what is encoded at once */
    uint32_t window_tokens; /* what attention sees directly, 2 S */
    uint32_t neighbours;    /* chunks retrieved for each chunk, unless a call says otherwise */
    uint32_t key_dim;
    uint32_t vocab_size;
    uint32_t layers;
    uint64_t parameters;
    uint64_t weight_bytes;          /* in memory */
    uint64_t state_bytes_per_chunk; /* fp32, before the store's compression */
    uint8_t fingerprint[32]; /* SHA-256 over config, tokenizer, weights; stores are bound to it */
} rpt_model_info;

/* Loads a model package (one file) and verifies its checksum. NOT_FOUND, CORRUPT, VERSION, DEVICE,
 * NO_MEMORY. Progress counts bytes. */
RPT_API rpt_status rpt_model_open(rpt_env* env, const char* path, const rpt_model_options* options,
                                  const rpt_call* call, rpt_model** out, rpt_error* err);
RPT_API rpt_status rpt_model_get_info(const rpt_model* model, rpt_model_info* info, rpt_error* err);

/* Limits that this machine sets to this model, for judging measured speeds. */
typedef struct rpt_machine_rates {
    uint32_t struct_size;
    uint32_t reserved0;
    double gemm_flops;             /* matrix products at the model's shapes, operations a second */
    double read_bytes;             /* reading main memory, bytes a second */
    double lower_flops_per_token;  /* what reading one token into a store costs */
    double decode_bytes_per_token; /* weights read to generate one token */
} rpt_machine_rates;
/* Measures for about a second; cancel and deadline count only until it starts. */
RPT_API rpt_status rpt_model_measure(rpt_model* model, const rpt_call* call,
                                     rpt_machine_rates* rates, rpt_error* err);
/* Lets go of the model; its memory goes with the last store and session that use it. */
RPT_API void rpt_model_close(rpt_model* model);

/* ---- Store ---- */

#define RPT_STORE_CREATE 0x1u    /* make the store if it is not there; needs a model */
#define RPT_STORE_READ_ONLY 0x2u /* not together with CREATE */
#define RPT_STORE_EXCL 0x4u      /* with CREATE: RPT_ERR_EXISTS if it is there */
/* Survives the process; a power cut may take the newest flushes, never consistency. */
#define RPT_DURABLE_NORMAL 0
#define RPT_DURABLE_FLUSH 1 /* every flush is on the disk when the call returns */
#define RPT_DURABLE_NONE 2  /* for stores that can be made again */
/* How states are kept, by far the largest part of a store. Stores read all of them, mixed too. */
#define RPT_STATES_DEFAULT 0  /* INT4 */
#define RPT_STATES_FP16 1     /* what the others are measured against */
#define RPT_STATES_INT8 2     /* half of it */
#define RPT_STATES_INT4 3     /* a quarter; its loss is within 0.1 % of FP16's */
#define RPT_STATES_LOW_RANK 4 /* smaller still, at 1 % of the loss */
typedef struct rpt_store_options {
    uint32_t struct_size;
    uint32_t flags;            /* RPT_STORE_* */
    rpt_model* model;          /* NULL: administration, listing, reading and deleting only */
    uint64_t cache_bytes;      /* decoded states kept in memory; 0: 64 MiB */
    int32_t durability;        /* RPT_DURABLE_* */
    int32_t compression_level; /* 1 to 19, 0: the library's choice */
    /* Hosts whose struct_size ends here get the defaults of the rest. */
    int32_t state_codec; /* RPT_STATES_*: of what is written from now on */
    uint32_t reserved0;
} rpt_store_options;
#define RPT_STORE_OPTIONS_INIT \
    { sizeof(rpt_store_options), 0, NULL, 0, 0, 0, 0, 0 }

/* Opens a directory as a store. One process writes, which RPT_ERR_BUSY tells the second one; any
 * number read. A store works with the model that made it: with another one RPT_ERR_MODEL_MISMATCH
 * names both fingerprints. A search index that is missing or stale is no error; it is built again
 * when needed. CORRUPT, VERSION, READ_ONLY, IO, NO_SPACE. */
RPT_API rpt_status rpt_store_open(rpt_env* env, const char* path, const rpt_store_options* options,
                                  rpt_store** out, rpt_error* err);
/* Returns when everything flushed before the call is on stable storage. */
RPT_API rpt_status rpt_store_sync(rpt_store* store, const rpt_call* call, rpt_error* err);
/* Syncs and closes; a failure is reported and the handle is gone either way. While spaces,
 * documents or sessions still use the store the work waits for the last of them, and its failure
 * goes to the log. */
RPT_API rpt_status rpt_store_close(rpt_store* store, rpt_error* err);
/* Deletes a store from the disk. Refuses what is not a store (NOT_FOUND, CORRUPT) or is open
 * anywhere (BUSY); files it does not know stay. */
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
    uint64_t reclaimable_bytes; /* freed by deletions, not yet given back */
    uint64_t cache_bytes, cache_hits, cache_misses;
    uint64_t generation;       /* grows with every change */
    uint64_t index_generation; /* change the index covers */
    uint8_t model_fingerprint[32];
    /* Hosts whose struct_size ends here do not get the rest. */
    uint64_t budget_bytes;                     /* 0: none */
    uint64_t document_chunks, document_tokens; /* of all documents; `chunks` and `tokens` count what
                                                  documents share once */
} rpt_store_stats;
/* Maintained counters, one consistent picture; cheap. */
RPT_API rpt_status rpt_store_get_stats(rpt_store* store, rpt_store_stats* stats, rpt_error* err);
/* Drops the search index and builds it from the stored keys. The answer to any doubt about the
 * index. */
RPT_API rpt_status rpt_store_rebuild_index(rpt_store* store, const rpt_call* call, rpt_error* err);

/* Bytes on disk that the store's folder may take, as `du` counts them; 0: no limit. Kept in the
 * store, for all who open it. Model states, by far the largest part, leave the disk: those not used
 * for longest first. Texts and keys stay, so searches find what they found. States that are wanted
 * again are computed again. The folder stays below the budget while the library writes. One
 * exception: a segment of a document (at most 16 KiB of text) may with its states take more than
 * the eighth that is kept free for the log, in a budget of few MiB. NO_SPACE if texts and keys
 * alone are more (nothing is lost), ARGUMENT below 1 MiB. */
RPT_API rpt_status rpt_store_set_budget(rpt_store* store, uint64_t bytes, const rpt_call* call,
                                        rpt_error* err);
/* Erases what deletions left and gives the space back to the file system, in small steps: other
 * calls go on meanwhile. On return no file of the store holds a byte of what was deleted before the
 * call. CANCELLED and TIMEOUT keep what is done. BUSY if a reader holds on to the log. */
RPT_API rpt_status rpt_store_compact(rpt_store* store, const rpt_call* call, rpt_error* err);
/* Writes a store into the folder `path`, which must hold none (EXISTS), as this one is now. Others
 * may read and write meanwhile. To restore, open the copy, or copy it with rpt_store_restore. */
RPT_API rpt_status rpt_store_backup(rpt_store* store, const char* path, const rpt_call* call,
                                    rpt_error* err);
/* Checks the copy `from` in full and makes the store `to` of it. EXISTS if `to` holds a store;
 * CORRUPT with the first finding, and `to` is not made. */
RPT_API rpt_status rpt_store_restore(rpt_env* env, const char* from, const char* to,
                                     const rpt_call* call, rpt_error* err);
/* Brings a store that an older library wrote to this one's format, in place: after a failure or a
 * crash it is as it was. OK also if there was nothing to do. BUSY if it is open anywhere, VERSION
 * if it is newer than this library. */
RPT_API rpt_status rpt_store_upgrade(rpt_env* env, const char* path, const rpt_call* call,
                                     rpt_error* err);

#define RPT_CHECK_QUICK 0 /* structure, catalogue and sums */
#define RPT_CHECK_FULL 1  /* and every checksum of every record */
#define RPT_CHECK_DEEP 2  /* and every record against what the model makes of it; needs the model \
                           */
#define RPT_FINDING_NOTE 1
#define RPT_FINDING_DAMAGE 2
typedef struct rpt_finding {
    uint32_t struct_size;
    int32_t severity; /* RPT_FINDING_* */
    rpt_str text;     /* one line: what, where, what to do; valid in the call */
} rpt_finding;
/* Return 0 to go on, > 0 to end the check with RPT_OK, < 0 with RPT_ERR_CALLBACK. */
typedef int32_t (*rpt_finding_fn)(void* user, const rpt_finding* finding);
/* Looks for damage, at one moment's state. OK whatever is found; `damaged` (may be NULL) counts
 * findings of that severity. `visit` may be NULL. */
RPT_API rpt_status rpt_store_check(rpt_store* store, int32_t level, const rpt_call* call,
                                   rpt_finding_fn visit, void* user, uint64_t* damaged,
                                   rpt_error* err);

/* Return 0 to go on; > 0 ends the listing with RPT_OK, < 0 with RPT_ERR_CALLBACK. Strings are valid
 * in the call. */
typedef int32_t (*rpt_space_visit_fn)(void* user, const char* owner, const char* collection);
/* Every space of the store as it was at the call, in byte order. Administration: names only, no way
 * in. */
RPT_API rpt_status rpt_store_list_spaces(rpt_store* store, rpt_space_visit_fn visit, void* user,
                                         rpt_error* err);

/* ---- Spaces ---- */

#define RPT_SPACE_CREATE 0x1u
/* Owner and collection are names of 1 to 255 bytes without further meaning. NOT_FOUND unless
 * CREATE. */
RPT_API rpt_status rpt_space_open(rpt_store* store, const char* owner, const char* collection,
                                  uint32_t flags, rpt_space** out, rpt_error* err);
/* Deletes a space with all its documents in one step; handles to it then answer RPT_ERR_NOT_FOUND.
 */
RPT_API rpt_status rpt_space_drop(rpt_store* store, const char* owner, const char* collection,
                                  const rpt_call* call, rpt_error* err);
/* As rpt_store_set_budget, for what one space takes: its texts, keys and states with their rows. */
RPT_API rpt_status rpt_space_set_budget(rpt_space* space, uint64_t bytes, const rpt_call* call,
                                        rpt_error* err);
RPT_API void rpt_space_close(rpt_space* space);

/* ---- Documents: writing ---- */

/* The key may exist; the old text stays visible until rpt_doc_finish. */
#define RPT_DOC_REPLACE 0x1u
/* Invalid bytes are read as U+FFFD; spans still count the original bytes. */
#define RPT_DOC_LOSSY_UTF8 0x2u
/* Do not keep the original bytes. Saves space, hides nothing: tokens stay. */
#define RPT_DOC_DISCARD_TEXT 0x4u
typedef struct rpt_doc_options {
    uint32_t struct_size;
    uint32_t flags;        /* RPT_DOC_* */
    const char* key;       /* required; unique in its space */
    const char* uri;       /* where it came from, for people; may be NULL */
    const char* meta_json; /* kept as it is; must be JSON of at most 65536 bytes; may be NULL */
    int64_t timestamp_ms;  /* Unix time of the text; 0: now */
} rpt_doc_options;
#define RPT_DOC_OPTIONS_INIT \
    { sizeof(rpt_doc_options), 0, NULL, NULL, NULL, 0 }

#define RPT_DOC_FINISHED 0x1u /* in rpt_doc_info.flags */
typedef struct rpt_doc_info {
    uint32_t struct_size;
    uint32_t flags; /* RPT_DOC_FINISHED */
    uint64_t doc_id, revision;
    uint64_t bytes_accepted;   /* taken by the writer; of a stored document: durable text */
    uint64_t bytes_searchable; /* covered by chunks in the store */
    uint64_t tokens, chunks;
    int64_t timestamp_ms;
    uint8_t content_hash[32]; /* SHA-256 of the original bytes once finished, else zero */
} rpt_doc_info;

/* Starts writing. EXISTS if the key is there and REPLACE is not given, BUSY if the key is being
 * written, STATE if the store has no model. */
RPT_API rpt_status rpt_doc_begin(rpt_space* space, const rpt_doc_options* options, rpt_doc** out,
                                 rpt_error* err);
/* Goes on with a document that is there, finished or not: append, splice, then finish again. What
 * was stored stays visible all the time; from the first change on the document counts as
 * unfinished. UNSUPPORTED if its text was discarded. `flags`: RPT_DOC_LOSSY_UTF8. */
RPT_API rpt_status rpt_doc_resume(rpt_space* space, const char* key, uint32_t flags, rpt_doc** out,
                                  rpt_error* err);
/* Adds bytes and encodes what became complete. Bytes may be cut anywhere, also within a character:
 * the stored result depends on the text alone. UTF8 names the document's offset of the first
 * invalid byte and takes nothing. A failure after that check (CANCELLED, TIMEOUT, DEVICE, IO) has
 * taken all the bytes or none, as rpt_doc_offset tells, and the next call goes on with the work.
 * Nothing is promised to be durable before a flush. */
RPT_API rpt_status rpt_doc_append(rpt_doc* doc, const void* bytes, size_t size,
                                  const rpt_call* call, rpt_error* err);
/* Bytes taken by the calls that have returned. Never waits; 0 for NULL. */
RPT_API uint64_t rpt_doc_offset(const rpt_doc* doc);

typedef struct rpt_splice_info {
    uint32_t struct_size;
    uint32_t reserved0;
    rpt_span looked_at; /* bytes of the new text whose segments were cut anew */
    uint64_t tokens;    /* encoded; does not grow with the document */
} rpt_splice_info;
/* Replaces the bytes [begin, end) of the document by `size` others: an edit. What was appended so
 * far is flushed, the change is durable and searchable on return, in one transaction. Costs a few
 * thousand tokens at most besides those of the new bytes, wherever it is. ARGUMENT for a span
 * outside the text or one that cuts a character, UTF8 for invalid new bytes (offset in them).
 * `info` may be NULL. */
RPT_API rpt_status rpt_doc_splice(rpt_doc* doc, uint64_t begin, uint64_t end, const void* bytes,
                                  size_t size, const rpt_call* call, rpt_splice_info* info,
                                  rpt_error* err);

/* Also the unfinished chunk at the end, until the next flush replaces it. */
#define RPT_FLUSH_TAIL 0x1u
/* Writes complete chunks in one transaction; searches see them on return (with REPLACE: after
 * finish). `info` may be NULL. A failure leaves the writer able to flush again. */
RPT_API rpt_status rpt_doc_flush(rpt_doc* doc, uint32_t flags, const rpt_call* call,
                                 rpt_doc_info* info, rpt_error* err);
/* Writes everything and ends the document; with REPLACE the new text takes the place of the old at
 * once. A character cut at the end is UTF8 with its offset; the writer stays open. An empty
 * document is legal. The writer must still be freed, and answers RPT_ERR_STATE from here on. */
RPT_API rpt_status rpt_doc_finish(rpt_doc* doc, const rpt_call* call, rpt_doc_info* info,
                                  rpt_error* err);
/* Without finish: what was flushed stays (with REPLACE: the old document stays as it was), the rest
 * is dropped. */
RPT_API void rpt_doc_free(rpt_doc* doc);

/* The hash of content_hash, for texts that may be stored already: compare before reading them
 * again. SHA-256 over all bytes added. One thread at a time; NULL is ignored everywhere. */
typedef struct rpt_hash rpt_hash;
RPT_API rpt_hash* rpt_hash_new(void); /* NULL if memory is out */
RPT_API void rpt_hash_add(rpt_hash* hash, const void* bytes, size_t size);
/* Writes 32 bytes; more may be added afterwards. */
RPT_API void rpt_hash_get(const rpt_hash* hash, uint8_t* digest);
RPT_API void rpt_hash_free(rpt_hash* hash);

/* ---- Documents: stored ---- */

/* Gone from every retrieval that starts after the return. NOT_FOUND if it is not there. */
RPT_API rpt_status rpt_doc_delete(rpt_space* space, const char* key, rpt_error* err);
RPT_API rpt_status rpt_doc_stat(rpt_space* space, const char* key, rpt_doc_info* info,
                                rpt_error* err);
/* Copies original bytes from `offset` on. *got is less than `capacity` only at the end of the text.
 * UNSUPPORTED if the text was discarded. */
RPT_API rpt_status rpt_doc_read(rpt_space* space, const char* key, uint64_t offset, void* buffer,
                                size_t capacity, size_t* got, rpt_error* err);

#define RPT_FIELD_URI 1
#define RPT_FIELD_META 2
/* Copies as much of the field as fits into `buffer` (NULL with capacity 0 to ask for the size);
 * *size is the size of the whole field, 0 if it was not given. */
RPT_API rpt_status rpt_doc_get_field(rpt_space* space, const char* key, int32_t field, char* buffer,
                                     size_t capacity, size_t* size, rpt_error* err);

/* Return 0 to go on; > 0 ends the listing with RPT_OK, < 0 with RPT_ERR_CALLBACK. Pointers are
 * valid in the call. */
typedef int32_t (*rpt_doc_visit_fn)(void* user, const char* key, const rpt_doc_info* info);
/* Documents with keys after `after_key` (NULL: all) in byte order of keys. What exists during the
 * whole listing is visited exactly once; the visitor may write to the store. */
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
    float state_rms; /* root mean square of the stored states; 0: they are not on the disk */
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
    uint8_t identity[32]; /* of text and context; zero: the unfinished end of a document */
} rpt_segment_info;
/* Segment `number` of a document, from 0: the stretches that it is cut into and encoded by.
 * NOT_FOUND. */
RPT_API rpt_status rpt_doc_get_segment(rpt_space* space, const char* key, uint64_t number,
                                       rpt_segment_info* info, rpt_error* err);

#define RPT_CHUNK_TOKENS 0 /* int32_t */
#define RPT_CHUNK_KEY 1    /* float[key_dim] */
#define RPT_CHUNK_STATES 2 /* float[tokens][d], d the states' own width; nothing if a budget took them \
                            */
/* Copies as much of a stored chunk's part as fits into `buffer`; *size is the size of the whole in
 * bytes. NOT_FOUND as above. */
RPT_API rpt_status rpt_doc_read_chunk(rpt_space* space, const char* key, uint64_t ordinal,
                                      int32_t part, void* buffer, size_t capacity, size_t* size,
                                      rpt_error* err);

/* ---- Retrieval ---- */

#define RPT_RETRIEVE_TEXT 0x1u /* fill text and next_text of the hits */
/* Scan every key instead of using the index; small spaces always do. */
#define RPT_RETRIEVE_EXACT 0x2u
typedef struct rpt_retrieve_options {
    uint32_t struct_size;
    uint32_t flags;       /* RPT_RETRIEVE_* */
    uint32_t k;           /* hits wanted, at most 1024; 0: as many as the session or model says */
    uint32_t max_per_doc; /* 0: no limit */
    float min_score;      /* counts if has_min_score is 1 */
    uint32_t has_min_score;  /* 0 or 1 */
    const char* exclude_key; /* leave out this document ... */
    rpt_span exclude_bytes;  /* ... or, if not empty, only chunks of it that touch these bytes */
} rpt_retrieve_options;
#define RPT_RETRIEVE_OPTIONS_INIT                            \
    {                                                        \
        sizeof(rpt_retrieve_options), 0, 0, 0, 0, 0, NULL, { \
            0, 0                                             \
        }                                                    \
    }

/* Of the session's own past: only score, gate, ordinal, span and text have a meaning. */
#define RPT_HIT_OWN 0x1u
typedef struct rpt_hit {
    uint32_t struct_size;
    uint32_t flags; /* RPT_HIT_* */
    uint32_t rank;  /* 0: best */
    float score;    /* scaled dot product: comparable within one model, not a probability */
    float gate;     /* how much the model let the chunk count, 0 to 1; 1 if it was not shown to the
                       model */
    uint32_t reserved0;
    uint64_t chunk_id; /* unique in the store, never used again */
    uint64_t doc_id, revision;
    uint64_t ordinal;    /* number of the chunk in its document */
    rpt_span span, next; /* the chunk and its successor, which the model reads with it (empty if
                            there is none) */
    rpt_str owner, collection, key, uri; /* these live with the hits */
    rpt_str text, next_text;             /* likewise; empty unless asked for */
    int64_t timestamp_ms;
} rpt_hit;

/* What the model would retrieve after `text`: its last chunk_tokens tokens (all of it, if shorter)
 * are the query, the union of 1 to 64 spaces of one store is searched. Best first, ties by
 * chunk_id: equal stores give equal answers. No hits is a success. */
RPT_API rpt_status rpt_retrieve(rpt_space* const* spaces, size_t n_spaces, const void* text,
                                size_t size, const rpt_retrieve_options* options,
                                const rpt_call* call, rpt_hits** out, rpt_error* err);
/* 0 for NULL. */
RPT_API size_t rpt_hits_count(const rpt_hits* hits);
/* One hit as it was found; later changes of the store do not reach it. Strings live as long as
 * `hits`. */
RPT_API rpt_status rpt_hits_get(const rpt_hits* hits, size_t index, rpt_hit* hit, rpt_error* err);
RPT_API void rpt_hits_free(rpt_hits* hits);

/* ---- Sessions ---- */

/* What left the window stays retrievable, for this session only, in memory. */
#define RPT_SESSION_SELF_MEMORY 0x1u
typedef struct rpt_session_options {
    uint32_t struct_size;
    uint32_t flags; /* RPT_SESSION_* */
    rpt_space* const*
        spaces;      /* what the session may retrieve from; all of one store opened with `model` */
    size_t n_spaces;     /* 0 to 64 */
    uint32_t neighbours; /* chunks retrieved for each chunk that is read, at most 1024; 0: as many as
                            rpt_model_info says. More help a little more and cost time */
    uint32_t reserved0;
} rpt_session_options;
#define RPT_SESSION_OPTIONS_INIT \
    { sizeof(rpt_session_options), 0, NULL, 0, 0, 0 }

/* An empty text, read by `model`. Nothing a session reads is written to a store. */
RPT_API rpt_status rpt_session_new(rpt_model* model, const rpt_session_options* options,
                                   rpt_session** out, rpt_error* err);
/* Reads on. Bytes may be cut anywhere; a character cut at the end waits for the next read. UTF8
 * takes nothing. After CANCELLED or TIMEOUT the session holds the first rpt_session_offset bytes.
 */
RPT_API rpt_status rpt_session_read(rpt_session* session, const void* bytes, size_t size,
                                    const rpt_call* call, rpt_error* err);
/* Forgets what follows `byte_offset`, which must not lie within a character nor behind the end.
 * Cheap near the end; otherwise reads again from a checkpoint. */
RPT_API rpt_status rpt_session_rewind(rpt_session* session, uint64_t byte_offset,
                                      const rpt_call* call, rpt_error* err);
/* Bytes the session holds after the last call that returned. Never waits, also while the session
 * works; 0 for NULL. */
RPT_API uint64_t rpt_session_offset(const rpt_session* session);
/* What a continuation from here begins with. Two queries share the hits evenly: the last whole
 * chunk, and the last line (at least four tokens; of a line of more than chunk_tokens / 4 the last
 * chunk_tokens / 8). With max_per_doc the chunk alone is the query. With k 0 a stored chunk that
 * stands out as the line's answer is the only hit, as it is then all that is read.
 * If the session has SELF_MEMORY, half of the hits are kept for its own past as far as that goes;
 * the others are the best of both. */
RPT_API rpt_status rpt_session_retrieve(rpt_session* session, const rpt_retrieve_options* options,
                                        const rpt_call* call, rpt_hits** out, rpt_error* err);
RPT_API void rpt_session_free(rpt_session* session);

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
    uint64_t seed;       /* 0: chosen and reported. Same build, CPU, threads and seed: same text */
    const rpt_str* stop; /* generation ends before any of these, at most 64 */
    size_t n_stop;
    const rpt_retrieve_options* retrieve; /* NULL: defaults */
    rpt_str suffix; /* text behind the gap that is to be filled; empty: the text is continued. Hosts
                       whose struct_size ends before this field have none */
} rpt_generate_options;
#define RPT_GENERATE_OPTIONS_INIT                                              \
    {                                                                          \
        sizeof(rpt_generate_options), 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, { \
            NULL, 0                                                            \
        }                                                                      \
    }

#define RPT_FINISH_NONE 0   /* did not end by itself: failed or cancelled */
#define RPT_FINISH_STOP 1   /* a stop string */
#define RPT_FINISH_EOS 2    /* the model ended the text */
#define RPT_FINISH_LENGTH 3 /* max_tokens */
#define RPT_FINISH_HOST 4   /* the callback said so */
typedef struct rpt_generate_result {
    uint32_t struct_size;
    int32_t finish;         /* RPT_FINISH_* */
    uint32_t stop_index;    /* which stop string, with RPT_FINISH_STOP */
    uint32_t retrievals;    /* searches made */
    uint64_t tokens, bytes; /* delivered */
    uint64_t seed;          /* used */
    int64_t first_token_us, total_us;
} rpt_generate_result;

#define RPT_EVENT_TEXT 1 /* text: whole characters, never part of a stop string that completes */
#define RPT_EVENT_HITS 2 /* hits: before the first text that they shaped */
#define RPT_EVENT_END 3  /* status: comes exactly once and last, whatever happened */
typedef struct rpt_event {
    uint32_t struct_size;
    int32_t type;         /* RPT_EVENT_* */
    rpt_str text;         /* valid in the callback */
    const rpt_hits* hits; /* likewise */
    uint64_t at_token;    /* tokens generated before this event */
    rpt_status status;    /* END: what rpt_session_generate returns */
    uint32_t reserved0;
} rpt_event;
/* Return 0 to go on, > 0 to stop (RPT_FINISH_HOST, a success), < 0 to fail with RPT_ERR_CALLBACK.
 * Ignored at END. */
typedef int32_t (*rpt_event_fn)(void* user, const rpt_event* event);

/* Continues the text of the session. However it ends, the session then holds exactly what was
 * delivered. Once the arguments are accepted, END is delivered even if the call fails. RPT_ERR_UTF8
 * while a cut character waits. `on_event` and `result` may be NULL; `result` is filled as far as
 * known on failure too.
 *
 * With a suffix the model fills the gap between the session's text and the suffix. It reads the
 * last of the one and the first of the other, beside the session, and ends (RPT_FINISH_EOS) where
 * the suffix goes on. Both together are as long as the window (window_tokens), less 4 tokens, less room
 * for the answer: max_tokens, at most half a block (block_tokens / 2). The suffix has a third of
 * that, the session's text two thirds; what one leaves free the other takes. Memory counts as ever:
 * spaces and, with SELF_MEMORY, what the session read before the part that is read again. The
 * suffix does not become part of the session. RPT_ERR_UTF8 for an invalid suffix (offset in it),
 * RPT_ERR_UNSUPPORTED if the model's tokenizer lacks the tokens for it; a model that was not
 * trained with gaps answers at random. */
RPT_API rpt_status rpt_session_generate(rpt_session* session, const rpt_generate_options* options,
                                        const rpt_call* call, rpt_event_fn on_event, void* user,
                                        rpt_generate_result* result, rpt_error* err);

#define RPT_SCORE_NO_MEMORY 0x1u /* the same measurement without retrieval */
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
    const rpt_hits* hits; /* what shaped these tokens; NULL if nothing. Valid in the callback */
} rpt_scored_chunk;
/* Return 0 to go on; anything else ends the call with RPT_ERR_CALLBACK. */
typedef int32_t (*rpt_score_visit_fn)(void* user, const rpt_scored_chunk* chunk);
/* How surprising `text` is after what the session holds. The session stays as it is. `visit` may be
 * NULL; it gets each chunk of the text in order. */
RPT_API rpt_status rpt_session_score(rpt_session* session, const void* text, size_t size,
                                     uint32_t flags, const rpt_call* call, rpt_score_visit_fn visit,
                                     void* user, rpt_score* score, rpt_error* err);

#ifdef __cplusplus
}
#endif

#endif
