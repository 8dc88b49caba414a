// Byte-level BPE: bytes to token ids with exact byte spans, and back.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text/pre_tokenizer.h"
#include "core/text/special_roles.h"

namespace rpt::text {

struct Token {
    int32_t id;
    uint32_t size;  // bytes of the text that this token covers; 0 for special tokens
};

// What makes a tokenizer: token i is tokens[i].
struct Vocabulary {
    std::vector<std::string> tokens;  // bytes; for special tokens the name
    std::vector<int32_t> special;     // ids, ascending
    // By rank; a pair becomes the token of its joined bytes.
    std::vector<std::pair<int32_t, int32_t>> merges;
    PieceRule pieces = PieceRule::kGpt2;
    // JSON of roles and names (read_roles()); empty: told by the names of our own tokenizers.
    std::string roles;
};

// Immutable after construction; shared by any number of threads.
class Tokenizer {
  public:
    // The `tokenizers` JSON layout (model.type BPE, ByteLevel pre-tokeniser, added special tokens).
    // `roles` as in Vocabulary. Throws kCorrupt or kUnsupported naming what is wrong.
    static std::shared_ptr<const Tokenizer> from_json(std::string_view json,
                                                      std::string_view roles = {});
    std::string to_json() const;
    // Throws kCorrupt if a byte has no token, a token comes twice or a merge has no result.
    static std::shared_ptr<const Tokenizer> from_vocabulary(Vocabulary vocabulary);

    ~Tokenizer();

    int32_t vocab_size() const;
    // The token that has the role; -1 if there is none.
    int32_t role(Role role) const;
    int32_t bos() const { return role(Role::kBegin); }
    int32_t eos() const { return role(Role::kEnd); }
    int32_t pad() const { return role(Role::kPad); }
    // -1 if there is none of that name.
    int32_t special(std::string_view name) const;
    bool is_special(int32_t id) const;

    // All of `text`, which must be valid UTF-8. Special names inside text are ordinary text. The
    // sizes of the tokens add up to text.size(). Throws kTooLarge for a single pre-token of 4 GiB
    // or more.
    std::vector<Token> encode(std::string_view text) const;
    // The plain twin of encode(): slow, obviously right; for tests.
    std::vector<Token> encode_slow(std::string_view text) const;
    // Bytes of one token; empty for special ones.
    std::string_view bytes(int32_t id) const;
    std::string decode(const std::vector<int32_t>& ids) const;

  private:
    friend class IncrementalEncoder;
    friend class PieceEncoder;
    struct Impl;
    explicit Tokenizer(std::unique_ptr<const Impl> impl);
    std::unique_ptr<const Impl> impl_;
};

// Encodes a text that arrives in pieces: the tokens do not depend on where it was cut. Keeps back
// the tail whose tokenisation could still change (at most one pre-token and what its rule looks
// ahead). One thread at a time. Copyable: a copy is a checkpoint.
class IncrementalEncoder {
  public:
    // `most_piece` (at least 4; 0: no limit): a pre-token of more bytes ends at its last code
    // point's border within them, and what follows begins a new one. Then what is kept back, and
    // the cost of a copy, are bounded whatever the text; tokens of such words are others than
    // Tokenizer::encode() gives.
    explicit IncrementalEncoder(std::shared_ptr<const Tokenizer> tokenizer, size_t most_piece = 0);

    // Appends valid UTF-8 in whole code points (see Utf8Gate); adds the tokens that are now final
    // to `out`. When it throws, nothing was appended. Time is linear in all that was appended, also
    // for one endless word.
    void append(std::string_view text, std::vector<Token>& out);
    // Adds the tokens of what is kept back, as if the text ended here; the encoder then begins a
    // new text.
    void finish(std::vector<Token>& out);
    // Tokens of what is kept back, as if the text ended here; changes nothing.
    std::vector<Token> peek() const;
    size_t pending_bytes() const { return pending_.size(); }

  private:
    // The end of the piece of pending_ at `begin`; nothing if more text could move it.
    std::optional<size_t> piece_end(PieceScan& scan, size_t begin) const;

    std::shared_ptr<const Tokenizer> tokenizer_;
    size_t most_piece_;
    std::string pending_;  // begins where a piece begins
    PieceScan scan_;       // how far that piece was looked at
};

}  // namespace rpt::text
