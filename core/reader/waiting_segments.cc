#include "core/reader/waiting_segments.h"

#include <utility>

#include "base/error.h"

namespace rpt::reader {
namespace {

// For one element more, so that adding it cannot fail.
template <class T>
void make_room(std::vector<T>& list) {
    if (list.size() == list.capacity()) list.reserve(2 * list.size() + 8);
}

}  // namespace

uint64_t WaitingSegments::add(std::string text, std::vector<int32_t>& context,
                              storage::Space& space, bool text_discarded) {
    storage::SegmentRecord record;
    record.identity = encoder_.identity(context, text, text_discarded);
    record.known = identities_.contains(record.identity) || space.has_segment(record.identity);
    record.text = std::move(text);
    const SpannedTokens tokens = encoder_.tokenise(record.text, true);
    if (!record.known) record.chunks = encoder_.encode(context, tokens, tokens.ids.size(), false);
    const uint64_t encoded = record.known ? 0 : tokens.ids.size();
    std::vector<int32_t> next = encoder_.context_behind(context, tokens.ids);
    make_room(records_);
    make_room(contexts_);
    identities_.insert(record.identity);  // nothing throws from here
    bytes_ += estimate(record);
    records_.push_back(std::move(record));
    contexts_.push_back(std::exchange(context, std::move(next)));
    return encoded;
}

uint64_t WaitingSegments::estimate(const storage::SegmentRecord& record) const {
    const model::ModelConfig& config = encoder_.engine().config();
    uint64_t tokens = 0;
    for (const storage::ChunkRecord& chunk : record.chunks) tokens += chunk.tokens.size();
    const uint64_t pointers =
        config.has_pointers() ? uint64_t(config.pointer_width) / 2 + 3 : 0;  // of a token
    return record.text.size() + tokens * (uint64_t(config.dim) + 8 + pointers) +
           record.chunks.size() * 2 * uint64_t(config.key_width());
}

void WaitingSegments::encode_lost(storage::SegmentRecord& record, size_t index) const {
    // The store keeps what is staged.
    RPT_CHECK(index >= n_staged_ && index < contexts_.size());
    encoder_.complete(record, contexts_[index]);
}

void WaitingSegments::stage(storage::DocumentWriter& document, const CallControl& control) {
    const std::span<storage::SegmentRecord> fresh = std::span(records_).subspan(n_staged_);
    while (const auto lost = document.stage(fresh, control))
        encode_lost(fresh[*lost], n_staged_ + *lost);
    for (storage::SegmentRecord& record : fresh) {
        record.known = true;
        record.text = {};
        record.chunks = {};
    }
    for (size_t i = n_staged_; i < contexts_.size(); ++i) contexts_[i] = {};
    n_staged_ = records_.size();
    bytes_ = 0;
}

void WaitingSegments::commit(storage::DocumentWriter& document, storage::Edit& edit,
                             storage::SegmentRecord open, const CallControl& control) {
    const size_t n_closed = records_.size();
    make_room(records_);
    edit.segments = std::move(records_);
    if (!open.text.empty()) edit.segments.push_back(std::move(open));
    try {
        while (const auto lost = document.commit(edit, control))
            encode_lost(edit.segments[*lost], *lost);
    } catch (...) {
        edit.segments.resize(n_closed);
        records_ = std::move(edit.segments);
        throw;
    }
    clear();
}

void WaitingSegments::clear() {
    records_.clear();
    contexts_.clear();
    identities_.clear();
    bytes_ = 0;
    n_staged_ = 0;
}

}  // namespace rpt::reader
