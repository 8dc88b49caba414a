#include "base/error.h"
#include "core/text/tokenizer_impl.h"

namespace rpt::text {

IncrementalEncoder::IncrementalEncoder(std::shared_ptr<const Tokenizer> tokenizer,
                                       size_t most_piece)
    : tokenizer_(std::move(tokenizer)), most_piece_(most_piece) {
    RPT_CHECK(most_piece == 0 || most_piece >= 4);
}

void IncrementalEncoder::take_pieces(PieceEncoder& encoder, PieceScan& scan, size_t& begin,
                                     bool at_end) const {
    if (most_piece_ > 0) {
        while (begin < pending_.size() && take_piece(encoder, scan, begin, at_end)) {
        }
        return;
    }
    const PreTokenizer& pieces = tokenizer_->impl_->pieces;
    const std::string_view text = pending_;
    while (begin < text.size()) {
        const std::optional<size_t> end = pieces.next(scan, text, begin, at_end);
        if (!end) return;
        encoder.add(begin, *end);
        begin = *end;
    }
}

bool IncrementalEncoder::take_piece(PieceEncoder& encoder, PieceScan& scan, size_t& begin,
                                    bool at_end) const {
    const PreTokenizer& pieces = tokenizer_->impl_->pieces;
    const size_t furthest = begin + most_piece_ + 4;  // no more is ever looked at
    const auto border = [&](size_t place) {
        if (place >= pending_.size()) return pending_.size();
        for (int i = 0; i < 3 && (uint8_t(pending_[place]) & 0xC0) == 0x80; ++i) --place;
        return place;
    };
    const size_t limit = border(begin + most_piece_), view = border(furthest);
    const auto end = pieces.next(scan, std::string_view(pending_).substr(0, view), begin,
                                 at_end && view == pending_.size());
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
        take_pieces(encoder, scan, begin, false);
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
    std::vector<Token> out;
    PieceEncoder encoder(*tokenizer_->impl_, pending_, out);
    PieceScan scan = scan_;
    size_t begin = 0;
    take_pieces(encoder, scan, begin, true);
    return out;
}

}  // namespace rpt::text
