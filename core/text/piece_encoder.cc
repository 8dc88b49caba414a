#include <algorithm>
#include <bit>

#include "core/text/tokenizer_impl.h"

namespace rpt::text {

PieceEncoder::PieceEncoder(const Tokenizer::Impl& impl, std::string_view text,
                           std::vector<Token>& out)
    : impl_(impl), text_(text), out_(out) {}

void PieceEncoder::add(size_t begin, size_t end) {
    constexpr size_t kCachedPiece = 1024;  // bytes; a longer one seldom comes twice
    constexpr size_t kCachedText = 1024;   // bytes; a shorter one repeats too little
    constexpr size_t kMostSeen = 1 << 14;
    const std::string_view piece = text_.substr(begin, end - begin);
    if (piece.size() > kCachedPiece && piece.size() > impl_.longest_whole) {
        merge(piece);
        return;
    }
    const uint64_t hash = hash_bytes(piece.data(), piece.size());
    if (const int32_t id = impl_.whole_piece(piece, hash); id >= 0) {
        out_.push_back({id, uint32_t(piece.size())});
        return;
    }
    if (text_.size() < kCachedText || piece.size() > kCachedPiece) {
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
    if (!impl_.has_all_bytes) {
        add_with_gaps(piece);
        return;
    }
    for (int32_t id : ids_) out_.push_back({id, impl_.sizes[size_t(id)]});
}

// Gives each byte of the piece that has no token to one of ids_.
void PieceEncoder::add_with_gaps(std::string_view piece) {
    const auto lacks_token = [&](size_t at) { return impl_.byte_ids[uint8_t(piece[at])] < 0; };
    size_t at = 0;
    for (size_t i = 0; i < ids_.size(); ++i) {
        const size_t begin = at;
        for (size_t left = impl_.sizes[size_t(ids_[i])]; left > 0; ++at)
            if (!lacks_token(at)) --left;
        while (at < piece.size() && lacks_token(at)) ++at;
        out_.push_back({ids_[i], uint32_t(at - begin)});
    }
    if (ids_.empty()) out_.push_back({impl_.byte_ids[' '], uint32_t(piece.size())});
}

}  // namespace rpt::text
