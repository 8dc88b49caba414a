#include "core/reader/copy_places.h"

#include <algorithm>

#include "base/dot_rows.h"
#include "base/error.h"

namespace rpt::reader {

CopyQuery::CopyQuery(std::span<const float> numbers)
    : whole(numbers), padded(padded_columns(numbers.size())) {
    std::ranges::copy(numbers, padded.begin());
}

int32_t FollowerSlots::put(int32_t token) {
    if (token < 0 || token == bos_) return kNone;
    if (size_t(token) >= slots_.size()) slots_.resize(size_t(token) + 1, kNone);
    int32_t& slot = slots_[size_t(token)];
    if (slot == kNone) {
        slot = int32_t(tokens_.size());
        tokens_.push_back(token);
    }
    return slot;
}

int32_t FollowerSlots::find(int32_t token) const {
    return token < 0 || size_t(token) >= slots_.size() ? kNone : slots_[size_t(token)];
}

SpacePlaces::SpacePlaces(std::shared_ptr<const storage::PointerSnapshot> snapshot, int32_t bos)
    : CopyPlaces(bos), snapshot_(std::move(snapshot)) {
    begins_.reserve(snapshot_->parts.size() + 1);
    slots_.reserve(snapshot_->tokens);
    for (const storage::PointerSnapshot::Part& part : snapshot_->parts) {
        begins_.push_back(slots_.size());
        const std::span<const int32_t> tokens = part.rows().tokens;
        for (size_t t = 0; t < tokens.size(); ++t) {
            const int32_t next = t + 1 < tokens.size() ? tokens[t + 1] : part.next;
            slots_.push_back(tokens[t] == bos ? FollowerSlots::kNone : followers_.put(next));
        }
    }
    begins_.push_back(slots_.size());
}

std::span<const int32_t> SpacePlaces::slots(size_t part) const {
    return std::span(slots_).subspan(begins_[part], begins_[part + 1] - begins_[part]);
}

void SpacePlaces::scores(size_t part, const CopyQuery& query, float* out) const {
    const storage::PointerSlice rows = snapshot_->parts[part].rows();
    scan_pointers(rows.nibbles.data(), rows.scales.data(), rows.scales.size(), query.whole, out);
}

OwnPlaces::OwnPlaces(const OwnPointers& own, std::span<const int32_t> ids, size_t end, size_t chunk)
    : CopyPlaces(ids.empty() ? -1 : ids.front()), own_(own), chunk_(chunk) {
    RPT_CHECK(end <= own.size() && end < ids.size() + 1);
    slots_.reserve(end);
    for (size_t i = 0; i < end; ++i)
        slots_.push_back(i == 0 || i + 1 >= ids.size() ? FollowerSlots::kNone
                                                       : followers_.put(ids[i + 1]));
}

std::span<const int32_t> OwnPlaces::slots(size_t part) const {
    const size_t begin = part * chunk_;
    return std::span(slots_).subspan(begin, std::min(chunk_, slots_.size() - begin));
}

void OwnPlaces::scores(size_t part, const CopyQuery& query, float* out) const {
    dot_rows(own_.rows(part * chunk_), slots(part).size(), own_.columns(), query.padded.data(),
             out);
}

}  // namespace rpt::reader
