#include "apps/rpt/utf8_scan.h"

namespace rpt::cli {
namespace {

// Unicode 15, table 3-7. Length of the sequence that `lead` opens and the bounds of its second
// byte; 0: no lead.
struct Lead {
    size_t size;
    unsigned char low, high;
};
Lead lead_of(unsigned char lead) {
    if (lead < 0x80) return {1, 0, 0};
    if (lead < 0xC2) return {0, 0, 0};
    if (lead < 0xE0) return {2, 0x80, 0xBF};
    if (lead == 0xE0) return {3, 0xA0, 0xBF};
    if (lead == 0xED) return {3, 0x80, 0x9F};
    if (lead < 0xF0) return {3, 0x80, 0xBF};
    if (lead == 0xF0) return {4, 0x90, 0xBF};
    if (lead < 0xF4) return {4, 0x80, 0xBF};
    if (lead == 0xF4) return {4, 0x80, 0x8F};
    return {0, 0, 0};
}

enum class Kind { kWhole, kCut, kInvalid };
struct Found {
    Kind kind;
    size_t size;
};
Found look(std::string_view text) {
    const Lead lead = lead_of(static_cast<unsigned char>(text[0]));
    if (lead.size == 0) return {Kind::kInvalid, 0};
    for (size_t i = 1; i < lead.size; ++i) {
        if (i == text.size()) return {Kind::kCut, 0};
        const auto byte = static_cast<unsigned char>(text[i]);
        const unsigned char low = i == 1 ? lead.low : 0x80;
        const unsigned char high = i == 1 ? lead.high : 0xBF;
        if (byte < low || byte > high) return {Kind::kInvalid, 0};
    }
    return {Kind::kWhole, lead.size};
}

}  // namespace

size_t code_point_size(std::string_view text) {
    if (text.empty()) return 0;
    const Found found = look(text);
    return found.kind == Kind::kWhole ? found.size : 0;
}

std::optional<uint64_t> Utf8Scan::feed(std::string_view piece) {
    std::string joined;
    if (!pending_.empty()) {
        joined = pending_;
        joined += piece;
        piece = joined;
    }
    size_t at = 0;
    while (at < piece.size()) {
        if (static_cast<unsigned char>(piece[at]) < 0x80) {
            ++at;
            continue;
        }
        const Found found = look(piece.substr(at));
        if (found.kind == Kind::kInvalid) return offset_ + at;
        if (found.kind == Kind::kCut) break;
        at += found.size;
    }
    pending_ = std::string(piece.substr(at));
    offset_ += at;
    return std::nullopt;
}

std::optional<uint64_t> Utf8Scan::finish() const {
    if (pending_.empty()) return std::nullopt;
    return offset_;
}

}  // namespace rpt::cli
