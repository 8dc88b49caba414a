// Places that a token may be copied from: far tokens of the own past, or all tokens of a space.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/reader/own_pointers.h"
#include "core/reader/pointer_scan.h"
#include "storage/pointer_keys.h"

namespace rpt::reader {

// A token's query, in the forms that the sources read.
struct CopyQuery {
    explicit CopyQuery(std::span<const float> numbers);
    PointerQuery whole;         // for rows in four bits
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

// Immutable. Places stand in parts: a stored chunk, or a chunk of the own past.
class CopyPlaces {
  public:
    virtual ~CopyPlaces() = default;
    virtual bool is_own() const = 0;
    virtual size_t parts() const = 0;
    // Number of the chunk in the store, or in the session.
    virtual uint64_t chunk(size_t part) const = 0;
    // Slots of what follows the part's places; kNone: the place does not count.
    virtual std::span<const int32_t> slots(size_t part) const = 0;
    // Cosines of the part's places with the query, [slots(part).size()].
    virtual void scores(size_t part, const CopyQuery& query, float* out) const = 0;
    const FollowerSlots& followers() const { return followers_; }

  protected:
    explicit CopyPlaces(int32_t bos) : followers_(bos) {}
    FollowerSlots followers_;
};

// All tokens of a space but begin tokens and those that nothing follows.
class SpacePlaces final : public CopyPlaces {
  public:
    SpacePlaces(std::shared_ptr<const storage::PointerSnapshot> snapshot, int32_t bos);
    const storage::PointerSnapshot& snapshot() const { return *snapshot_; }

    bool is_own() const override { return false; }
    size_t parts() const override { return snapshot_->parts.size(); }
    uint64_t chunk(size_t part) const override { return snapshot_->parts[part].chunk(); }
    std::span<const int32_t> slots(size_t part) const override;
    void scores(size_t part, const CopyQuery& query, float* out) const override;

  private:
    std::shared_ptr<const storage::PointerSnapshot> snapshot_;
    std::vector<size_t> begins_;  // of parts; one more at the end
    std::vector<int32_t> slots_;
};

// Input positions [0, end) of a session; `ids` are its tokens, at least end + 1. Borrows `own`,
// which is not cut below `end` meanwhile. `chunk` tokens make a part.
class OwnPlaces final : public CopyPlaces {
  public:
    OwnPlaces(const OwnPointers& own, std::span<const int32_t> ids, size_t end, size_t chunk);

    bool is_own() const override { return true; }
    size_t parts() const override { return (slots_.size() + chunk_ - 1) / chunk_; }
    uint64_t chunk(size_t part) const override { return part; }
    std::span<const int32_t> slots(size_t part) const override;
    void scores(size_t part, const CopyQuery& query, float* out) const override;

  private:
    const OwnPointers& own_;
    size_t chunk_;
    std::vector<int32_t> slots_;
};

}  // namespace rpt::reader
