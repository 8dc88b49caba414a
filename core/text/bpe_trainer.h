// Learns a byte-level BPE vocabulary from texts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/text/tokenizer.h"

namespace rpt::text {

// Texts are counted as they come and not kept: memory grows with the number of different pre-tokens
// only. The result depends on the texts alone, not on their order. One thread at a time.
class BpeTrainer {
  public:
    // "<|bos|>", "<|eos|>", "<|pad|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>".
    static std::vector<std::string> default_special_tokens();

    // One whole document of valid UTF-8. Pre-tokens above 1024 bytes (encoded data, rulers) teach
    // nothing and are left out.
    void add(std::string_view document);
    uint64_t n_pieces() const { return n_pieces_; }
    size_t n_distinct_pieces() const { return counts_.size(); }

    // Ids: the special tokens, the 256 bytes in the order of their characters, then one a merge.
    // Merges by count descending, then by the ids of the pair; stops at `vocab_size` tokens or when
    // no pair occurs `min_frequency` times. Throws kArgument if `vocab_size` has no room for the
    // bytes or a special name comes twice. Changes nothing: more texts may follow.
    std::shared_ptr<const Tokenizer> train(
        int32_t vocab_size, uint64_t min_frequency = 2,
        const std::vector<std::string>& special_tokens = default_special_tokens()) const;

  private:
    struct Hash {
        using is_transparent = void;
        size_t operator()(std::string_view text) const;
    };
    std::unordered_map<std::string, uint64_t, Hash, std::equal_to<>> counts_;
    uint64_t n_pieces_ = 0;
};

}  // namespace rpt::text
