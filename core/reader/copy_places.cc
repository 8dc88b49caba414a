#include "core/reader/copy_places.h"

#include <algorithm>

#include "base/dot_rows.h"
#include "base/error.h"

namespace rpt::reader {

namespace {
constexpr size_t kBestOneIn = 64;
}

CopyQuery::CopyQuery(std::span<const float> numbers)
    : whole(numbers), signs(numbers), padded(padded_columns(numbers.size())) {
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

void CopyPlaces::put(int32_t slot) {
    slots_.push_back(slot);
    count_ += slot != FollowerSlots::kNone;
}

SpacePlaces::SpacePlaces(std::shared_ptr<const storage::PointerSnapshot> snapshot, int32_t bos,
                         const ReadingLimits& limits, std::span<const uint64_t> hidden)
    : CopyPlaces(bos), snapshot_(std::move(snapshot)) {
    begins_.reserve(snapshot_->parts.size());
    slots_.reserve(snapshot_->tokens);
    for (const storage::PointerSnapshot::Part& part : snapshot_->parts) {
        begins_.push_back(slots_.size());
        const std::span<const int32_t> tokens = part.rows().tokens;
        const bool counts = !std::ranges::binary_search(hidden, part.chunk());
        for (size_t t = 0; t < tokens.size(); ++t) {
            const int32_t next = t + 1 < tokens.size() ? tokens[t + 1] : part.next;
            put(tokens[t] == bos || !counts ? FollowerSlots::kNone : followers_.put(next));
        }
    }
    most_best_ = std::max(slots_.size() / kBestOneIn, limits.least_best);
    size_t begin = 0;
    for (const auto& page : snapshot_->pages) {
        if (slots_.size() > limits.most_exact) {
            pages_.push_back({page.get(), begin, {}});
            for (const uint32_t row : page->sample().rows)
                pages_.back().sample_slots.push_back(slots_[begin + row]);
        }
        for (size_t first = 0; first < page->rows(); first += kMostRun)
            runs_.push_back(
                {page.get(), uint32_t(first), uint32_t(std::min(kMostRun, page->rows() - first))});
        begin += page->rows();
    }
}

uint64_t SpacePlaces::chunk(size_t place) const {
    const auto behind = std::ranges::upper_bound(begins_, place);
    return snapshot_->parts[size_t(behind - begins_.begin()) - 1].chunk();
}

void SpacePlaces::scores(size_t run, const CopyQuery& query, float* out) const {
    const auto [page, first, size] = runs_[run];
    scan_pointers(page->nibbles() + first * query.whole.row_bytes(), page->scales() + first, size,
                  query.whole, out);
}

OwnPlaces::OwnPlaces(const OwnPointers& own, std::span<const int32_t> ids, size_t end, size_t chunk)
    : CopyPlaces(ids.empty() ? -1 : ids.front()), own_(own), chunk_(chunk) {
    RPT_CHECK(end <= own.size() && end < ids.size() + 1);
    slots_.reserve(end);
    for (size_t i = 0; i < end; ++i)
        put(i == 0 || i + 1 >= ids.size() ? FollowerSlots::kNone : followers_.put(ids[i + 1]));
}

size_t OwnPlaces::run_size(size_t run) const {
    return std::min(kMostRun, slots_.size() - run * kMostRun);
}

void OwnPlaces::scores(size_t run, const CopyQuery& query, float* out) const {
    dot_rows(own_.rows(run * kMostRun), run_size(run), own_.columns(), query.padded.data(), out);
}

}  // namespace rpt::reader
