#include "core/text/tokenizer.h"

#include <algorithm>
#include <bit>
#include <set>
#include <tuple>
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

std::vector<Tokenizer::Impl::Kind> Tokenizer::Impl::check_kinds() const {
    const int64_t n = int64_t(vocabulary.tokens.size());
    std::vector<Kind> kinds_of(size_t(n), Kind::kOrdinary);
    std::set<std::string_view> names;
    for (const auto& [ids, kind, word] :
         {std::tuple(&vocabulary.special, Kind::kSpecial, "special"),
          {&vocabulary.added, Kind::kAdded, "added"}}) {
        for (int32_t id : *ids) {
            const std::string name = std::string(word) + " token " + std::to_string(id);
            if (id < 0 || id >= n) refuse(name + " is outside the vocabulary");
            if (kinds_of[size_t(id)] != Kind::kOrdinary) refuse(name + " is listed twice");
            kinds_of[size_t(id)] = kind;
            const std::string& token = vocabulary.tokens[size_t(id)];
            if (token.empty() || valid_utf8_prefix(token) != token.size() ||
                !names.insert(token).second)
                refuse(name + " is empty, not utf-8 or stands twice");
        }
    }
    for (int64_t id = 0; id < n; ++id)
        if (kinds_of[size_t(id)] == Kind::kOrdinary &&
            names.contains(spell_bytes(vocabulary.tokens[size_t(id)])))
            refuse("token " + std::to_string(id) + " is spelled like a special token");
    return kinds_of;
}

std::vector<int32_t> Tokenizer::Impl::merge_results() const {
    const int64_t n = int64_t(vocabulary.tokens.size());
    std::unordered_map<std::string_view, int32_t> ids;
    for (int64_t id = 0; id < n; ++id) {
        if (kinds[size_t(id)] != Kind::kOrdinary) continue;
        const std::string& token = vocabulary.tokens[size_t(id)];
        if (token.empty()) refuse("token " + std::to_string(id) + " is empty");
        if (!ids.emplace(token, int32_t(id)).second)
            refuse("token " + std::to_string(id) + " stands twice in the vocabulary");
    }
    for (char c = '\n'; c <= '~'; c = c == '\n' ? ' ' : char(c + 1))
        if (!ids.contains(std::string_view(&c, 1)))
            refuse("byte " + std::to_string(c) +
                   " has no token; a byte-level vocabulary has printable ascii");
    std::vector<int32_t> results;
    results.reserve(vocabulary.merges.size());
    std::vector<std::pair<int32_t, int32_t>> pairs = vocabulary.merges;
    for (size_t rank = 0; rank < pairs.size(); ++rank) {
        const auto [left, right] = pairs[rank];
        const std::string name = "merge " + std::to_string(rank);
        for (int32_t id : {left, right})
            if (id < 0 || id >= n || kinds[size_t(id)] != Kind::kOrdinary)
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
    : vocabulary(std::move(v)),
      pieces(pre_tokenizer(vocabulary.pieces)),
      kinds(check_kinds()),
      merges(vocabulary.merges, merge_results()) {
    const size_t n = vocabulary.tokens.size();
    std::vector<SpecialName> names;
    for (int32_t id : vocabulary.special) names.push_back({id, vocabulary.tokens[size_t(id)]});
    roles = vocabulary.roles.empty() ? roles_by_name(names) : read_roles(vocabulary.roles, names);
    sizes.resize(n, 0);
    byte_ids.fill(-1);
    for (size_t id = 0; id < n; ++id) {
        if (kinds[id] == Kind::kSpecial) continue;
        const std::string& token = vocabulary.tokens[id];
        sizes[id] = uint32_t(token.size());
        if (token.size() == 1 && kinds[id] == Kind::kOrdinary)
            byte_ids[uint8_t(token[0])] = int32_t(id);
    }
    has_all_bytes = std::ranges::find(byte_ids, -1) == byte_ids.end();
    whole.assign(std::bit_ceil(n * 2), -1);
    std::vector<int32_t> ids;
    for (size_t id = 0; id < n; ++id) {
        if (kinds[id] != Kind::kOrdinary) continue;
        const std::string& token = vocabulary.tokens[id];
        if (!vocabulary.ignore_merges) {
            merge_piece(token, ids);
            if (ids.size() != 1 || ids[0] != int32_t(id)) continue;
        }
        longest_whole = std::max(longest_whole, token.size());
        size_t at = hash_bytes(token.data(), token.size()) & (whole.size() - 1);
        while (whole[at] >= 0) at = (at + 1) & (whole.size() - 1);
        whole[at] = int32_t(id);
    }
}

void Tokenizer::Impl::merge_piece(std::string_view piece, std::vector<int32_t>& ids) const {
    ids.resize(piece.size());
    for (size_t i = 0; i < piece.size(); ++i) ids[i] = byte_ids[uint8_t(piece[i])];
    if (!has_all_bytes) std::erase(ids, -1);
    if (ids.size() <= kShortPiece)
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

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

std::shared_ptr<const Tokenizer> Tokenizer::from_vocabulary(Vocabulary vocabulary) {
    if (vocabulary.tokens.size() > size_t(INT32_MAX)) refuse("more than 2^31 - 1 tokens");
    std::sort(vocabulary.special.begin(), vocabulary.special.end());
    std::sort(vocabulary.added.begin(), vocabulary.added.end());
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
    return id >= 0 && id < vocab_size() && impl_->kinds[size_t(id)] == Impl::Kind::kSpecial;
}

const std::string& Tokenizer::roles_json() const {
    return impl_->vocabulary.roles;
}
PieceRule Tokenizer::pieces() const {
    return impl_->vocabulary.pieces;
}
bool Tokenizer::expects_nfc() const {
    return impl_->vocabulary.nfc;
}

std::vector<Token> Tokenizer::encode(std::string_view text) const {
    std::vector<Token> out;
    out.reserve(text.size() / 4 + 8);
    PieceEncoder encoder(*impl_, text, out);
    const PreTokenizer& pieces = impl_->pieces;
    PieceScan scan;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = *pieces.next(scan, text, begin, true);
        encoder.add(begin, end);
        begin = end;
    }
    return out;
}

std::vector<Token> Tokenizer::encode_slow(std::string_view text) const {
    const Vocabulary& vocabulary = impl_->vocabulary;
    std::vector<Token> out;
    for (std::string_view piece : impl_->pieces.pieces_slow(text)) {
        int32_t whole = -1;
        for (int32_t id = 0; vocabulary.ignore_merges && id < vocab_size(); ++id)
            if (impl_->kinds[size_t(id)] == Impl::Kind::kOrdinary && bytes(id) == piece) whole = id;
        if (whole >= 0) {
            out.push_back({whole, uint32_t(piece.size())});
            continue;
        }
        std::vector<Token> tokens;
        uint32_t left_out = 0;  // bytes before the first token
        for (char byte : piece) {
            const int32_t id = impl_->byte_ids[uint8_t(byte)];
            if (id >= 0) {
                tokens.push_back({id, tokens.empty() ? 1 + left_out : 1});
            } else if (tokens.empty()) {
                ++left_out;
            } else {
                ++tokens.back().size;
            }
        }
        if (tokens.empty()) tokens.push_back({impl_->byte_ids[' '], left_out});
        while (true) {
            Merge best{UINT32_MAX, -1};
            size_t place = 0;
            for (size_t i = 0; i + 1 < tokens.size(); ++i) {
                const Merge merge = impl_->merges.find(tokens[i].id, tokens[i + 1].id);
                if (merge.result >= 0 && merge.rank < best.rank) {
                    best = merge;
                    place = i;
                }
            }
            if (best.result < 0) break;
            tokens[place] = {best.result, tokens[place].size + tokens[place + 1].size};
            tokens.erase(tokens.begin() + ptrdiff_t(place) + 1);
        }
        out.insert(out.end(), tokens.begin(), tokens.end());
    }
    return out;
}

std::string_view Tokenizer::bytes(int32_t id) const {
    if (id < 0 || id >= vocab_size())
        throw Error(Status::kArgument, "rpt",
                    "tokenizer: id " + std::to_string(id) + " is outside the vocabulary of " +
                        std::to_string(vocab_size()));
    if (is_special(id)) return {};
    return impl_->vocabulary.tokens[size_t(id)];
}

std::string Tokenizer::decode(const std::vector<int32_t>& ids) const {
    std::string text;
    for (int32_t id : ids) text += bytes(id);
    return text;
}

void fill_vocabulary(Vocabulary& vocabulary, size_t n) {
    while (vocabulary.tokens.size() < n) {
        const size_t id = vocabulary.tokens.size();
        vocabulary.special.push_back(int32_t(id));
        vocabulary.tokens.push_back(unused_token_name(id));
    }
}

}  // namespace rpt::text
