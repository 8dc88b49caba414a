// The index of a space as a file (docs/format/index.md): a cache of what the database says, never
// more than that.
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include "storage/index/snapshot.h"

namespace rpt::storage {

// Keys of dead rows are written as zeros: what was deleted does not stay on the disk. `mode`: the
// file's rights. Throws like AtomicFile.
void write_index_cache(const std::string& file, uint64_t space, uint32_t dim,
                       const Snapshot& snapshot, mode_t mode);
// Absent for whatever reason: no file, another version, space or dimension, damage. The answer may
// be older or newer than the database; its generation and digest say what it was made from.
std::optional<Snapshot> read_index_cache(const std::string& file, uint64_t space, uint32_t dim);

}  // namespace rpt::storage
