// Places that a token may be copied from: far tokens of the own past, or all tokens of a space.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/reader/own_pointers.h"
#include "core/reader/pointer_scan.h"
#include "core/reader/sign_scan.h"
#include "storage/pointer_keys.h"

namespace rpt::reader {

// A token's query, in the forms that the sources read.
struct CopyQuery {
    explicit CopyQuery(std::span<const float> numbers);
    PointerQuery whole;         // for rows in four bits
    SignQuery signs;            // for a first look at them
    std::vector<float> padded;  // for rows in fp16
};

// The distinct tokens that follow a source's places, numbered: its slots.
class FollowerSlots {
  public:
    static constexpr int32_t kNone = -1;
    // `bos` follows nothing.
    explicit FollowerSlots(int32_t bos) : bos_(bos) {}
    // The slot of a token, made if need be; kNone for -1 and the begin token.
    int32_t put(int32_t token);
    // kNone if no place is followed by it.
    int32_t find(int32_t token) const;
    std::span<const int32_t> tokens() const { return tokens_; }  // by slot

  private:
    int32_t bos_;
    std::vector<int32_t> tokens_, slots_;  // slots by token
};

// How much of a space is read for a token (docs/reading.md).
struct ReadingLimits {
    // Up to so many places every one is compared with the query; of more only some, in two stages.
    size_t most_exact = size_t{1} << 17;
    // Then so many are compared at most: one in 64, or these if that is fewer.
    size_t least_best = 8192;
};

// Rows of a page are places from `begin` on.
struct PagePlaces {
    const storage::PointerPage* page;
    size_t begin;
    std::vector<int32_t> sample_slots;  // of the page's sample
};

// Immutable. Places are numbered, and stand in runs whose keys lie side by side.
class CopyPlaces {
  public:
    static constexpr size_t kMostRun = 512;

    virtual ~CopyPlaces() = default;
    virtual bool is_own() const = 0;
    // Number of a place's chunk in the store, or in the session.
    virtual uint64_t chunk(size_t place) const = 0;
    // From 1 to kMostRun places; the runs follow one another up to the last place.
    virtual size_t run_size(size_t run) const = 0;
    // Cosines of a run's places with the query, [run_size(run)].
    virtual void scores(size_t run, const CopyQuery& query, float* out) const = 0;
    // Where places are too many to compare every one: all of them by pages, and how many to
    // compare.
    virtual std::span<const PagePlaces> pages() const { return {}; }
    virtual size_t most_best() const { return slots_.size(); }

    // Slots of what follows the places; kNone: the place does not count.
    std::span<const int32_t> slots() const { return slots_; }
    uint64_t count() const { return count_; }  // places that count
    const FollowerSlots& followers() const { return followers_; }

  protected:
    explicit CopyPlaces(int32_t bos) : followers_(bos) {}
    // The next place, and what follows it.
    void put(int32_t slot);

    FollowerSlots followers_;
    std::vector<int32_t> slots_;
    uint64_t count_ = 0;
};

// All tokens of a space but begin tokens, those that nothing follows, and those of `hidden` chunks
// (ascending).
class SpacePlaces final : public CopyPlaces {
  public:
    SpacePlaces(std::shared_ptr<const storage::PointerSnapshot> snapshot, int32_t bos,
                const ReadingLimits& limits = {}, std::span<const uint64_t> hidden = {});
    const storage::PointerSnapshot& snapshot() const { return *snapshot_; }

    bool is_own() const override { return false; }
    uint64_t chunk(size_t place) const override;
    size_t run_size(size_t run) const override { return runs_[run].size; }
    void scores(size_t run, const CopyQuery& query, float* out) const override;
    std::span<const PagePlaces> pages() const override { return pages_; }
    size_t most_best() const override { return most_best_; }

  private:
    struct Run {
        const storage::PointerPage* page;
        uint32_t first, size;  // rows of it
    };
    std::shared_ptr<const storage::PointerSnapshot> snapshot_;
    std::vector<size_t> begins_;  // first place of each part
    std::vector<Run> runs_;
    std::vector<PagePlaces> pages_;  // none unless they are read in two stages
    size_t most_best_ = 0;
};

// Input positions [0, end) of a session; `ids` are its tokens, at least end + 1. Borrows `own`,
// which is not cut below `end` meanwhile. `chunk` tokens make a chunk.
class OwnPlaces final : public CopyPlaces {
  public:
    OwnPlaces(const OwnPointers& own, std::span<const int32_t> ids, size_t end, size_t chunk);

    bool is_own() const override { return true; }
    uint64_t chunk(size_t place) const override { return place / chunk_; }
    size_t run_size(size_t run) const override;
    void scores(size_t run, const CopyQuery& query, float* out) const override;

  private:
    const OwnPointers& own_;
    size_t chunk_;
};

}  // namespace rpt::reader
