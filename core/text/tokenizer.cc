#include "core/text/tokenizer.h"

#include <algorithm>
#include <bit>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "core/text/byte_alphabet.h"
#include "core/text/tokenizer_impl.h"
#include "core/text/utf8_gate.h"

namespace rpt::text {

namespace {

[[noreturn]] void refuse(const std::string& why) {
    throw Error(Status::kCorrupt, "rpt", "tokenizer: " + why);
}

}  // namespace

// Checks the vocabulary as well: everything later relies on it.
std::vector<int32_t> Tokenizer::Impl::merge_results(const Vocabulary& vocabulary) {
    const int64_t n = int64_t(vocabulary.tokens.size());
    std::vector<uint8_t> special(size_t(n), 0);
    for (int32_t id : vocabulary.special) {
        if (id < 0 || id >= n)
            refuse("special id " + std::to_string(id) + " is outside the vocabulary");
        special[size_t(id)] = 1;
    }
    std::set<std::string_view> names;
    for (int32_t id : vocabulary.special) {
        const std::string& name = vocabulary.tokens[size_t(id)];
        if (name.empty() || valid_utf8_prefix(name) != name.size() || !names.insert(name).second)
            refuse("special token " + std::to_string(id) + " is empty, not utf-8 or stands twice");
    }
    std::unordered_map<std::string_view, int32_t> ids;
    for (int64_t id = 0; id < n; ++id) {
        if (special[size_t(id)]) continue;
        const std::string& token = vocabulary.tokens[size_t(id)];
        if (token.empty()) refuse("token " + std::to_string(id) + " is empty");
        if (!ids.emplace(token, int32_t(id)).second)
            refuse("token " + std::to_string(id) + " stands twice in the vocabulary");
        if (names.contains(spell_bytes(token)))
            refuse("token " + std::to_string(id) + " is spelled like a special token");
    }
    for (int byte = 0; byte < 256; ++byte) {
        const char c = char(byte);
        if (!ids.contains(std::string_view(&c, 1)))
            refuse("byte " + std::to_string(byte) +
                   " has no token; a byte-level vocabulary has all 256");
    }
    std::vector<int32_t> results;
    results.reserve(vocabulary.merges.size());
    std::vector<std::pair<int32_t, int32_t>> pairs = vocabulary.merges;
    for (size_t rank = 0; rank < pairs.size(); ++rank) {
        const auto [left, right] = pairs[rank];
        const std::string name = "merge " + std::to_string(rank);
        for (int32_t id : {left, right})
            if (id < 0 || id >= n || special[size_t(id)])
                refuse(name + " names " + std::to_string(id) + ", which is not an ordinary token");
        const auto found =
            ids.find(vocabulary.tokens[size_t(left)] + vocabulary.tokens[size_t(right)]);
        if (found == ids.end()) refuse(name + " makes a token that the vocabulary lacks");
        results.push_back(found->second);
    }
    std::sort(pairs.begin(), pairs.end());
    if (std::adjacent_find(pairs.begin(), pairs.end()) != pairs.end())
        refuse("a merge stands twice in the list");
    return results;
}

Tokenizer::Impl::Impl(Vocabulary v)
    : vocabulary(std::move(v)), merges(vocabulary.merges, merge_results(vocabulary)) {
    const size_t n = vocabulary.tokens.size();
    specials.resize(n, 0);
    std::vector<SpecialName> names;
    for (int32_t id : vocabulary.special) {
        specials[size_t(id)] = 1;
        names.push_back({id, vocabulary.tokens[size_t(id)]});
    }
    roles = vocabulary.roles.empty() ? roles_by_name(names) : read_roles(vocabulary.roles, names);
    sizes.resize(n, 0);
    whole.assign(std::bit_ceil(n * 2), -1);
    for (size_t id = 0; id < n; ++id) {
        if (specials[id]) continue;
        const std::string& token = vocabulary.tokens[id];
        sizes[id] = uint32_t(token.size());
        if (token.size() == 1) byte_ids[uint8_t(token[0])] = int32_t(id);
    }
    std::vector<int32_t> ids;
    for (size_t id = 0; id < n; ++id) {
        if (specials[id]) continue;
        const std::string& token = vocabulary.tokens[id];
        merge_piece(token, ids);
        if (ids.size() != 1) continue;
        size_t at = hash_bytes(token.data(), token.size()) & (whole.size() - 1);
        while (whole[at] >= 0) at = (at + 1) & (whole.size() - 1);
        whole[at] = int32_t(id);
    }
}

void Tokenizer::Impl::merge_piece(std::string_view piece, std::vector<int32_t>& ids) const {
    ids.resize(piece.size());
    for (size_t i = 0; i < piece.size(); ++i) ids[i] = byte_ids[uint8_t(piece[i])];
    if (piece.size() <= kShortPiece)
        merge_short(merges, ids);
    else
        merge_long(merges, ids);
}

int32_t Tokenizer::Impl::whole_piece(std::string_view piece, uint64_t hash) const {
    for (size_t at = hash & (whole.size() - 1);; at = (at + 1) & (whole.size() - 1)) {
        const int32_t id = whole[at];
        if (id < 0 || vocabulary.tokens[size_t(id)] == piece) return id;
    }
}

PieceEncoder::PieceEncoder(const Tokenizer::Impl& impl, std::string_view text,
                           std::vector<Token>& out)
    : impl_(impl), text_(text), out_(out) {}

void PieceEncoder::add(size_t begin, size_t end) {
    constexpr size_t kCachedPiece = 1024;  // bytes; a longer one seldom comes twice
    constexpr size_t kCachedText = 1024;   // bytes; a shorter one repeats too little
    constexpr size_t kMostSeen = 1 << 14;
    const std::string_view piece = text_.substr(begin, end - begin);
    if (piece.size() > kCachedPiece) {
        merge(piece);
        return;
    }
    const uint64_t hash = hash_bytes(piece.data(), piece.size());
    if (const int32_t id = impl_.whole_piece(piece, hash); id >= 0) {
        out_.push_back({id, uint32_t(piece.size())});
        return;
    }
    if (text_.size() < kCachedText) {
        merge(piece);
        return;
    }
    // made at the first need: an append to an endless word completes no piece and needs none
    if (seen_.empty()) seen_.resize(std::min(std::bit_ceil(text_.size() / 16), kMostSeen));
    Seen& seen = seen_[(hash >> 32) & (seen_.size() - 1)];
    if (seen.hash == hash && seen.size == piece.size() &&
        text_.compare(seen.begin, seen.size, piece) == 0) {
        for (size_t i = 0; i < seen.count; ++i) {
            const Token token = out_[seen.first + i];  // a copy: push_back may move the vector
            out_.push_back(token);
        }
        return;
    }
    const size_t first = out_.size();
    merge(piece);
    seen = {hash, begin, piece.size(), first, out_.size() - first};
}

void PieceEncoder::merge(std::string_view piece) {
    impl_.merge_piece(piece, ids_);
    for (int32_t id : ids_) out_.push_back({id, impl_.sizes[size_t(id)]});
}

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

std::shared_ptr<const Tokenizer> Tokenizer::from_vocabulary(Vocabulary vocabulary) {
    if (vocabulary.tokens.size() > size_t(INT32_MAX)) refuse("more than 2^31 - 1 tokens");
    std::sort(vocabulary.special.begin(), vocabulary.special.end());
    return std::shared_ptr<const Tokenizer>(
        new Tokenizer(std::make_unique<const Impl>(std::move(vocabulary))));
}

int32_t Tokenizer::vocab_size() const {
    return int32_t(impl_->vocabulary.tokens.size());
}
int32_t Tokenizer::role(Role role) const {
    return impl_->roles[static_cast<size_t>(role)];
}

int32_t Tokenizer::special(std::string_view name) const {
    for (int32_t id : impl_->vocabulary.special)
        if (impl_->vocabulary.tokens[size_t(id)] == name) return id;
    return -1;
}

bool Tokenizer::is_special(int32_t id) const {
    return id >= 0 && id < vocab_size() && impl_->specials[size_t(id)] != 0;
}

std::vector<Token> Tokenizer::encode(std::string_view text) const {
    std::vector<Token> out;
    out.reserve(text.size() / 4 + 8);
    PieceEncoder encoder(*impl_, text, out);
    const PreTokenizer& pieces = pre_tokenizer(impl_->vocabulary.pieces);
    PieceScan scan;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = *pieces.next(scan, text, begin, true);
        encoder.add(begin, end);
        begin = end;
    }
    return out;
}

std::vector<Token> Tokenizer::encode_slow(std::string_view text) const {
    std::vector<Token> out;
    for (std::string_view piece : pre_tokenizer(impl_->vocabulary.pieces).pieces_slow(text)) {
        std::vector<int32_t> ids;
        for (char byte : piece) ids.push_back(impl_->byte_ids[uint8_t(byte)]);
        while (true) {
            Merge best{UINT32_MAX, -1};
            size_t place = 0;
            for (size_t i = 0; i + 1 < ids.size(); ++i) {
                const Merge merge = impl_->merges.find(ids[i], ids[i + 1]);
                if (merge.result >= 0 && merge.rank < best.rank) {
                    best = merge;
                    place = i;
                }
            }
            if (best.result < 0) break;
            ids[place] = best.result;
            ids.erase(ids.begin() + ptrdiff_t(place) + 1);
        }
        for (int32_t id : ids) out.push_back({id, uint32_t(bytes(id).size())});
    }
    return out;
}

std::string_view Tokenizer::bytes(int32_t id) const {
    if (id < 0 || id >= vocab_size())
        throw Error(Status::kArgument, "rpt",
                    "tokenizer: id " + std::to_string(id) + " is outside the vocabulary of " +
                        std::to_string(vocab_size()));
    if (impl_->specials[size_t(id)]) return {};
    return impl_->vocabulary.tokens[size_t(id)];
}

std::string Tokenizer::decode(const std::vector<int32_t>& ids) const {
    std::string text;
    for (int32_t id : ids) text += bytes(id);
    return text;
}

IncrementalEncoder::IncrementalEncoder(std::shared_ptr<const Tokenizer> tokenizer,
                                       size_t most_piece)
    : tokenizer_(std::move(tokenizer)), most_piece_(most_piece) {
    RPT_CHECK(most_piece == 0 || most_piece >= 4);
}

std::optional<size_t> IncrementalEncoder::piece_end(PieceScan& scan, size_t begin) const {
    const PreTokenizer& pieces = pre_tokenizer(tokenizer_->impl_->vocabulary.pieces);
    if (most_piece_ == 0) return pieces.next(scan, pending_, begin, false);
    // No more is looked at than tells that the piece is too long.
    const auto border = [&](size_t place) {
        if (place >= pending_.size()) return pending_.size();
        for (int i = 0; i < 3 && (uint8_t(pending_[place]) & 0xC0) == 0x80; ++i) --place;
        return place;
    };
    const size_t limit = border(begin + most_piece_), view = border(begin + most_piece_ + 4);
    const auto end = pieces.next(scan, std::string_view(pending_).substr(0, view), begin, false);
    if (end ? *end <= limit : view <= limit) return end;
    scan = {};
    return limit;
}

void IncrementalEncoder::append(std::string_view text, std::vector<Token>& out) {
    const size_t n_pending = pending_.size(), n_out = out.size();
    PieceScan scan = scan_;
    size_t begin = 0;
    try {
        pending_ += text;
        PieceEncoder encoder(*tokenizer_->impl_, pending_, out);
        while (begin < pending_.size()) {
            const std::optional<size_t> end = piece_end(scan, begin);
            if (!end) break;
            encoder.add(begin, *end);
            begin = *end;
        }
    } catch (...) {  // out of memory, or a word too long: as if nothing had been appended
        pending_.resize(n_pending);
        out.resize(n_out);
        throw;
    }
    pending_.erase(0, begin);
    scan_ = scan;
}

void IncrementalEncoder::finish(std::vector<Token>& out) {
    const std::vector<Token> rest = peek();
    out.insert(out.end(), rest.begin(), rest.end());
    pending_.clear();
    scan_ = {};
}

std::vector<Token> IncrementalEncoder::peek() const {
    return tokenizer_->encode(pending_);
}

}  // namespace rpt::text
