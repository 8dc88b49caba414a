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

class PieceEncoder;

struct Token {
    int32_t id;
    uint32_t size;  // bytes of the text that this token covers; 0 for special tokens
};

// What makes a tokenizer: token i is tokens[i].
struct Vocabulary {
    std::vector<std::string> tokens;  // bytes; for special tokens the name
    std::vector<int32_t> special;     // ids, ascending
    // Ids, ascending, of tokens that text never becomes although they have bytes: a model may write
    // them, "<think>".
    std::vector<int32_t> added;
    // By rank; a pair becomes the token of its joined bytes.
    std::vector<std::pair<int32_t, int32_t>> merges;
    PieceRule pieces = PieceRule::kGpt2;
    // A piece that is a token becomes that token, also where merges would make others of it.
    bool ignore_merges = false;
    // The model was trained on text in Unicode's form NFC. Encoding does not normalise: offsets
    // are those of the caller's bytes.
    bool nfc = false;
    // JSON of roles and names (read_roles()); empty: told by the names of our own tokenizers.
    std::string roles;
};

// Adds special tokens of made-up names until there are `n`: for a model whose embedding has more
// rows than its tokenizer has tokens.
void fill_vocabulary(Vocabulary& vocabulary, size_t n);

// Immutable after construction; shared by any number of threads.
class Tokenizer {
  public:
    // The `tokenizers` JSON layout (docs/format/tokenizer.md). `roles` as in Vocabulary. Throws
    // kCorrupt or kUnsupported naming what is wrong.
    static std::shared_ptr<const Tokenizer> from_json(std::string_view json,
                                                      std::string_view roles = {});
    std::string to_json() const;
    // Throws kCorrupt if printable ASCII or the line feed lacks a token, a token comes twice or a
    // merge has no result.
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
    // JSON as Vocabulary::roles; empty if the names tell the roles.
    const std::string& roles_json() const;
    PieceRule pieces() const;
    // As Vocabulary::nfc.
    bool expects_nfc() const;

    // All of `text`, which must be valid UTF-8. Special names inside text are ordinary text. The
    // sizes of the tokens add up to text.size(). A byte without a token (some vocabularies lack
    // control characters) is left out before pairs merge and counts to the token before it in its
    // piece, or else to the one behind it; a piece of such bytes alone becomes a space. Throws
    // kTooLarge for a single pre-token of 4 GiB or more.
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
    // point's border within them and is encoded as a text of its own; what follows begins a
    // new one. The same holds for one whose end its first `most_piece` + 4 bytes do not tell. Then
    // what is kept back (at most `most_piece` + 3 bytes), and the cost of a copy, are bounded
    // whatever the text; tokens of such words are others than Tokenizer::encode() gives.
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
    // Encodes the pieces of pending_ from `begin` on and moves that behind them, up to one whose
    // end more text could move.
    void take_pieces(PieceEncoder& encoder, PieceScan& scan, size_t& begin, bool at_end) const;
    // The same for one piece where pieces have a limit; false if more text could move its end.
    bool take_piece(PieceEncoder& encoder, PieceScan& scan, size_t& begin, bool at_end) const;

    std::shared_ptr<const Tokenizer> tokenizer_;
    size_t most_piece_;
    std::string pending_;  // begins where a piece begins
    PieceScan scan_;       // how far that piece was looked at
};

}  // namespace rpt::text
