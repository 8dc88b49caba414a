#include "base/error.h"
#include "core/text/tokenizer_impl.h"

namespace rpt::text {

IncrementalEncoder::IncrementalEncoder(std::shared_ptr<const Tokenizer> tokenizer,
                                       size_t most_piece)
    : tokenizer_(std::move(tokenizer)), most_piece_(most_piece) {
    RPT_CHECK(most_piece == 0 || most_piece >= 4);
}

bool IncrementalEncoder::take_piece(PieceEncoder& encoder, PieceScan& scan, size_t& begin,
                                    bool at_end) const {
    const PreTokenizer& pieces = pre_tokenizer(tokenizer_->impl_->vocabulary.pieces);
    // no more is ever looked at
    const size_t furthest = most_piece_ == 0 ? SIZE_MAX : begin + most_piece_ + 4;
    const auto border = [&](size_t place) {
        if (place >= pending_.size()) return pending_.size();
        for (int i = 0; i < 3 && (uint8_t(pending_[place]) & 0xC0) == 0x80; ++i) --place;
        return place;
    };
    const size_t view = border(furthest);
    const auto end = pieces.next(scan, std::string_view(pending_).substr(0, view), begin,
                                 at_end && view == pending_.size());
    const size_t limit = most_piece_ == 0 ? SIZE_MAX : border(begin + most_piece_);
    if (end && *end <= limit) {
        encoder.add(begin, *end);
        begin = *end;
        return true;
    }
    if (!end && furthest > pending_.size()) return false;
    scan = {};
    while (begin < limit) {
        const size_t part =
            *pieces.next(scan, std::string_view(pending_).substr(0, limit), begin, true);
        encoder.add(begin, part);
        begin = part;
    }
    return true;
}

void IncrementalEncoder::append(std::string_view text, std::vector<Token>& out) {
    const size_t n_pending = pending_.size(), n_out = out.size();
    PieceScan scan = scan_;
    size_t begin = 0;
    try {
        pending_ += text;
        PieceEncoder encoder(*tokenizer_->impl_, pending_, out);
        while (begin < pending_.size() && take_piece(encoder, scan, begin, false)) {
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
    if (most_piece_ == 0) return tokenizer_->encode(pending_);
    std::vector<Token> out;
    PieceEncoder encoder(*tokenizer_->impl_, pending_, out);
    PieceScan scan = scan_;
    for (size_t begin = 0; begin < pending_.size();) take_piece(encoder, scan, begin, true);
    return out;
}

}  // namespace rpt::text
