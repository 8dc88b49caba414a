// What one transaction does to the segments of a space, and to what searches see of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/index/key_rows.h"
#include "storage/sqlite/catalogue.h"
#include "storage/sqlite/chunk_table.h"
#include "storage/sqlite/segment_table.h"

namespace rpt::storage {

// What one commit did to a space: its row afterwards, and the chunks that searches lose and get.
struct SpaceChange {
    uint64_t old_generation = 0;
    SpaceRow now;
    std::vector<uint64_t> removed;
    std::shared_ptr<const KeyRows> added;  // null: none
};

// A segment as it goes to the disk, made before the transaction begins.
struct PreparedSegment {
    Digest identity{};
    bool known = false;
    bool text_discarded = false;
    uint64_t bytes = 0, tokens = 0;
    std::string text;  // blob
    std::vector<EncodedRecord> chunks;

    uint64_t size() const;
};
PreparedSegment prepare_segment(const SegmentRecord& record, bool discard_text, uint32_t dim,
                                const Packing& packing);

// Takes a segment's rows away and its figures from `space`. About how many bytes they had.
uint64_t erase_segment(Connection& connection, SpaceRow& space, const SegmentRow& row);

// One thread, inside one write transaction. Documents change their places by themselves and tell
// touch(); settle() then finds out which segments are seen, and notes the change for the index.
class SegmentEdit {
  public:
    // `change.now` is the space as it stands; it is kept up to date.
    SegmentEdit(Connection& connection, SpaceChange& change, uint32_t key_dim);

    // The segment of this identity, which is inserted if the space has none; nothing if it is only
    // named and not there.
    std::optional<SegmentRow> put(const PreparedSegment& prepared);
    // An open segment becomes a longer one or is closed; chunks that stay the same keep their rows.
    SegmentRow replace_open(const SegmentRow& open, const PreparedSegment& prepared);
    void touch(uint64_t segment) { touched_.insert(segment); }
    void settle();
    // Erases up to `limit` segments of the space that no document holds, and ends with the one that
    // brings them to `bytes`. Bytes erased: 0 if there was none.
    uint64_t purge(size_t limit, uint64_t bytes);
    // Rows that searches get, into change.added.
    void publish_rows();

  private:
    void insert_chunks(const SegmentRow& row, const PreparedSegment& prepared, size_t from);
    void forget(const ChunkSeal& chunk);
    void unsee(uint64_t segment);
    void see(uint64_t segment);

    Connection& connection_;
    SpaceChange& change_;
    const uint32_t key_dim_;
    std::set<uint64_t> touched_;
    std::vector<std::pair<RowFacts, std::string>> added_;
};

}  // namespace rpt::storage
