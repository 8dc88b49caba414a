// What a Tokenizer holds; private to core/text.
#pragma once

#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/bpe_merges.h"
#include "core/text/tokenizer.h"

namespace rpt::text {

// A fast hash of short byte strings: eight bytes a step; not stored, not keyed.
inline uint64_t hash_bytes(const char* data, size_t size) {
    constexpr uint64_t kMix = 0x9E3779B97F4A7C15u;
    uint64_t hash = size * kMix;
    const auto add = [&](uint64_t word) {
        hash = (hash ^ word) * kMix;
        hash ^= hash >> 32;
    };
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word;
        std::memcpy(&word, data, 8);
        add(word);
    }
    uint64_t word = 0;
    for (size_t i = 0; i < size; ++i) word |= uint64_t(uint8_t(data[i])) << (8 * i);
    add(word);
    return hash;
}

struct Tokenizer::Impl {
    explicit Impl(Vocabulary vocabulary);

    // The token ids of one piece.
    void merge_piece(std::string_view piece, std::vector<int32_t>& ids) const;
    // The id of a piece that is one token, or -1. Not every token: only those that merging its
    // bytes yields, but all ordinary ones where the vocabulary ignores merges.
    int32_t whole_piece(std::string_view piece, uint64_t hash) const;

    Vocabulary vocabulary;
    const PreTokenizer& pieces;   // of the vocabulary's rule
    std::vector<uint32_t> sizes;  // bytes of a token in text; 0 for special ones
    enum class Kind : uint8_t { kOrdinary, kSpecial, kAdded };
    std::vector<Kind> kinds;  // by id
    Roles roles;
    std::array<int32_t, 256> byte_ids;  // -1: the byte has no token
    bool has_all_bytes;
    size_t longest_whole = 0;  // bytes of the longest piece that whole_piece() knows
    MergeTable merges;
    std::vector<int32_t> whole;  // open addressing, -1 empty

  private:
    // Checks the vocabulary as well: everything later relies on it.
    std::vector<int32_t> merge_results() const;
    std::vector<Kind> check_kinds() const;
};

// Encodes the pieces of one buffer into one vector. A repeated piece is copied from where it was
// encoded before: the cache is a fixed table of (piece, place in the output), so it costs no memory
// per piece. One thread at a time.
class PieceEncoder {
  public:
    PieceEncoder(const Tokenizer::Impl& impl, std::string_view text, std::vector<Token>& out);
    void add(size_t begin, size_t end);

  private:
    struct Seen {
        uint64_t hash = 0;
        size_t begin = 0, size = 0;   // of the piece in the text; size 0: empty
        size_t first = 0, count = 0;  // of its tokens in the output
    };
    void merge(std::string_view piece);
    void add_with_gaps(std::string_view piece);

    const Tokenizer::Impl& impl_;
    std::string_view text_;
    std::vector<Token>& out_;
    std::vector<Seen> seen_;
    std::vector<int32_t> ids_;
};

}  // namespace rpt::text
