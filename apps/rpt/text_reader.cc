#include "apps/rpt/text_reader.h"

#include <algorithm>
#include <utility>

#include "apps/rpt/document_kind.h"

namespace rpt::cli {
namespace {

constexpr size_t kProbeBytes = 8192;  // as much as git looks at
constexpr const char* kTryOption =
    "; name its encoding, as in --encoding windows-1252, or read it with --lossy";
constexpr const char* kTryTool = "; convert it, as in: iconv -f WINDOWS-1252 -t UTF-8 FILE";

bool has_mark(std::string_view head) {
    return head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF") ||
           head.starts_with(std::string_view("\0\0\xFE\xFF", 4));
}

// English in UTF-16: every other byte is a NUL. `first`: 0 for big-endian.
bool looks_like_utf16(std::string_view head, size_t first) {
    size_t n_nul[2] = {0, 0};
    for (size_t i = 0; i < head.size(); ++i) n_nul[i % 2] += head[i] == '\0';
    return n_nul[1 - first] == 0 && 2 * n_nul[first] > head.size() / 2;
}

}  // namespace

TextReader::TextReader(const TextForm& form, std::string name, Source source)
    : form_(form), name_(std::move(name)), source_(source) {}

// Streams must not wait for more than they have: the first piece is the head, unless it is shorter
// than a mark.
bool TextReader::begin(bool is_end) {
    if (head_.size() < 4 && !is_end) return true;
    begun_ = true;
    if (!look_at_head()) return false;
    const bool html = !form_.html_source && is_html_name(name_);
    std::string encoding = form_.encoding;
    if (html && encoding.empty() && !has_mark(head_)) {
        encoding = declared_encoding(head_);
        if (!knows_encoding(encoding)) encoding.clear();
    }
    // A CR at the end of the piece may be half of a CR LF.
    ends_in_cr_ = source_ == Source::kFile && head_.find('\n') == std::string::npos &&
                  head_.find('\r') < head_.size() - 1;
    decoder_.emplace(encoding, form_.lossy,
                     html && form_.lossy ? TextDecoder::Utf8::kCheck : TextDecoder::Utf8::kPass);
    if (html) html_.emplace();
    return true;
}

bool TextReader::look_at_head() {
    const std::string_view head = std::string_view(head_).substr(0, kProbeBytes);
    if (auto kind = kind_and_tool(head, name_)) {
        problem_ = std::move(*kind);
        return false;
    }
    has_nul_ =
        !has_mark(head) && form_.encoding.empty() && head.find('\0') != std::string_view::npos;
    if (source_ != Source::kFile || !has_nul_) return true;
    problem_ = "binary";
    for (size_t first : {0, 1}) {
        if (looks_like_utf16(head, first))
            problem_ += std::string("; if it is UTF-16 without a mark, give --encoding ") +
                        (first == 0 ? "utf-16be" : "utf-16le");
    }
    return false;
}

bool TextReader::feed(std::string_view bytes, std::string& text) {
    if (begun_) return take(bytes, text, false);
    head_ += bytes;
    if (!begin(false)) return false;
    return !begun_ || take(std::exchange(head_, {}), text, false);
}

bool TextReader::finish(std::string& text) {
    if (!begun_ && !begin(true)) return false;
    return take(std::exchange(head_, {}), text, true);
}

bool TextReader::take(std::string_view bytes, std::string& text, bool is_end) {
    std::string decoded;
    bool good = decoder_->feed(bytes, decoded) && (!is_end || decoder_->finish(decoded));
    if (!good)
        problem_ =
            decoder_->problem() + (source_ == Source::kPrompt ? "" : "; read it with --lossy");
    std::string checked;
    if (form_.lossy) {
        checked = std::move(decoded);
    } else if (!check(decoded, checked, is_end && good)) {
        good = false;
    }
    if (ends_in_cr_) std::ranges::replace(checked, '\r', '\n');
    if (!html_) {
        text += checked;
        return good;
    }
    *html_ += checked;
    if (html_->size() > kMaxHtmlBytes) {
        problem_ = "a page of HTML that is too long; --html-source keeps it as it stands";
        good = false;
    } else if (is_end || !good) {
        text += text_of_html(*html_);
    }
    return good;
}

bool TextReader::check(std::string_view bytes, std::string& text, bool is_end) {
    const uint64_t begin = scan_.offset();  // of cut_
    cut_ += bytes;
    auto bad = scan_.feed(bytes);
    if (!bad && is_end) bad = scan_.finish();
    const size_t n_whole = (bad ? *bad : scan_.offset()) - begin;
    text.append(cut_, 0, n_whole);
    cut_.erase(0, n_whole);
    if (!bad) return true;
    if (problem_.empty() && has_nul_) problem_ = "binary";
    if (problem_.empty())
        problem_ = "not UTF-8 at byte " + std::to_string(*bad + decoder_->mark_bytes()) +
                   (source_ == Source::kPrompt ? kTryTool : kTryOption);
    return false;
}

}  // namespace rpt::cli
