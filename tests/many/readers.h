// One process that writes a store and many that read it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/store.h"

namespace rpt::many {

struct ReadersOptions {
    std::string path;  // of a store that is made
    uint32_t seconds = 600;
    uint32_t readers = 8;
    uint32_t documents = 400;    // keys that are written, replaced, edited and deleted
    uint32_t max_segments = 20;  // of a document, of four chunks each
    uint32_t flat_limit = 3000;  // chunks; the index grows past it
    uint32_t pause_us = 20000;   // of the writer between changes
    uint32_t reader_pause_us = 0;
    uint32_t rival_every_ms = 2000;  // a second writer tries
    uint32_t kill_every_ms = 60000;  // the writer is killed and another takes over; 0: never
    uint32_t compact_every_ms = 20000;
    storage::Durability durability = storage::Durability::kFlush;
    uint64_t seed = 1;
};

enum class Call {
    kOpen,
    kSearch,
    kExact,
    kDescribe,
    kStates,
    kHitText,
    kText,
    kFind,
    kList,
    kPointers
};
inline constexpr size_t kCalls = 10;
const char* name_of(Call call);

// Where the time of one call went, microseconds. What is neither work of a processor nor waiting
// for one is `blocked`: on a lock, on a disk, on a page.
struct Spent {
    double wall = 0, cpu = 0, queue = 0;
    double blocked() const { return wall > cpu + queue ? wall - cpu - queue : 0; }
};

// Plain memory that processes share. Counts of times by size: eight steps an octave.
struct Histogram {
    uint64_t counts[256] = {};
    uint64_t n = 0;
    double max_us = 0;
    void add(double us);
    void add(const Histogram& other);
    double quantile(double q) const;  // upper edge of the step
};

struct CallFigures {
    Histogram wall, cpu, queue, blocked;
    uint64_t over_50ms = 0;  // blocked longer
};

struct LongCall {  // the most blocked one
    Call call = Call::kOpen;
    Spent spent;
    int64_t major_faults = 0, voluntary_switches = 0;
};

struct ReaderFigures {
    CallFigures calls[kCalls];
    LongCall longest;
    uint64_t checks = 0;  // texts, lines, scores and states that were compared
    uint64_t wrong = 0, failed = 0;
    uint64_t gone = 0;                        // hits deleted between two calls
    uint64_t asked_self = 0, found_self = 0;  // searches by graph for a line that is there
    char first_wrong[256] = {}, first_failed[256] = {};
};

struct WriterFigures {
    uint64_t written = 0, replaced = 0, edited = 0, deleted = 0, compacted = 0, compact_busy = 0;
    Histogram commits;
    uint64_t busy_while_taking_over = 0;
    char failed[256] = {};
};

struct ReadersResult {
    std::vector<ReaderFigures> readers;
    ReaderFigures all;  // of them, added
    WriterFigures writer;
    uint64_t rivals = 0, rivals_right = 0;  // got kBusy with the writer's number
    Histogram rival_times;
    std::string first_rival;                           // what it was told
    std::vector<double> takeover_ms, first_commit_ms;  // from the kill
    uint64_t findings = 0, wrong_at_end = 0;
    uint64_t documents = 0, chunks = 0, disk_bytes = 0;
    double load_average = 0, steal_share = 0;  // of the machine: at the end, and meanwhile
};

// Forks; call it while the process has one thread.
ReadersResult read_together(const ReadersOptions& options);

}  // namespace rpt::many
