// Closed segments on their way into a store.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "core/reader/segment_encoder.h"
#include "storage/store.h"

namespace rpt::reader {

// Each keeps its text and the context it was made in, so that a segment that was known and that the
// space loses before the commit can be made again. Borrows the encoder. One thread at a time.
class WaitingSegments {
  public:
    explicit WaitingSegments(const SegmentEncoder& encoder) : encoder_(encoder) {}

    // Adds the segment of `text` behind `context`, which becomes that of the next one. Encodes it
    // unless the space or an earlier segment here has it. Tokens encoded. After a failure nothing
    // has changed.
    uint64_t add(std::string text, std::vector<int32_t>& context, storage::Space& space,
                 bool text_discarded);

    bool empty() const { return records_.empty(); }
    size_t size() const { return records_.size(); }
    // What they will take on the disk, about; staged ones are there already.
    uint64_t bytes() const { return bytes_; }

    // Brings them into the store ahead of the commit (storage::DocumentWriter::stage), and drops
    // their texts and chunks here.
    void stage(storage::DocumentWriter& document, const CallControl& control);
    // Commits them as the segments of `edit`, with `open` behind them if it has text, and is empty
    // then. After a failure they still wait.
    void commit(storage::DocumentWriter& document, storage::Edit& edit, storage::SegmentRecord open,
                const CallControl& control);
    void clear();

  private:
    uint64_t estimate(const storage::SegmentRecord& record) const;
    void encode_lost(storage::SegmentRecord& record, size_t index) const;

    const SegmentEncoder& encoder_;
    std::vector<storage::SegmentRecord> records_;
    std::vector<std::vector<int32_t>> contexts_;  // of records_
    std::set<Digest> identities_;                 // of records_
    uint64_t bytes_ = 0;
    size_t n_staged_ = 0;  // the first of records_
};

}  // namespace rpt::reader
