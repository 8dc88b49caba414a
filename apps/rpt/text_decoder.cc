#include "apps/rpt/text_decoder.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <utility>

namespace rpt::cli {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

struct Mark {
    std::string_view bytes;
    const char* encoding;
};
// The longer ones first: that of UTF-32LE begins with that of UTF-16LE.
constexpr std::array<Mark, 5> kMarks = {{{{"\xFF\xFE\0\0", 4}, "UTF-32LE"},
                                         {{"\0\0\xFE\xFF", 4}, "UTF-32BE"},
                                         {{"\xEF\xBB\xBF", 3}, "UTF-8"},
                                         {{"\xFF\xFE", 2}, "UTF-16LE"},
                                         {{"\xFE\xFF", 2}, "UTF-16BE"}}};

const iconv_t kNone = reinterpret_cast<iconv_t>(-1);

// Names of encodings are ASCII, whatever the locale says.
std::string upper(std::string name) {
    for (char& c : name) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return name;
}

// How far to go on behind what is invalid.
size_t unit_of(std::string_view encoding) {
    if (encoding.starts_with("UTF-16") || encoding.starts_with("UTF16")) return 2;
    return encoding.starts_with("UTF-32") || encoding.starts_with("UTF32") ? 4 : 1;
}

}  // namespace

bool knows_encoding(const std::string& name) {
    // "//IGNORE" and "//TRANSLIT" would hide what is wrong
    if (name.find('/') != std::string::npos) return false;
    const iconv_t converter = iconv_open("UTF-8", name.c_str());
    if (converter == kNone) return false;
    iconv_close(converter);
    return true;
}

TextDecoder::TextDecoder(const std::string& encoding, bool lossy, Utf8 utf8)
    : encoding_(upper(encoding)), lossy_(lossy), utf8_(utf8) {}

TextDecoder::~TextDecoder() {
    if (converter_) iconv_close(*converter_);
}

void TextDecoder::decide(bool is_end) {
    for (const Mark& mark : kMarks) {
        const std::string_view seen = std::string_view(pending_).substr(0, mark.bytes.size());
        if (seen == mark.bytes) {
            encoding_ = mark.encoding;
            mark_bytes_ = mark.bytes.size();
            break;
        }
        if (!is_end && mark.bytes.starts_with(seen)) return;  // may become one
    }
    decided_ = true;
    pending_.erase(0, mark_bytes_);
    offset_ = mark_bytes_;
    if (encoding_.empty() || encoding_ == "UTF8") encoding_ = "UTF-8";
    if (encoding_ == "UTF-8" && utf8_ == Utf8::kPass) return;
    converter_ = iconv_open("UTF-8", encoding_.c_str());
    if (*converter_ == kNone) {
        converter_.reset();
        throw std::bad_alloc();  // its name was looked at before
    }
}

bool TextDecoder::feed(std::string_view bytes, std::string& text) {
    pending_ += bytes;
    if (!decided_) decide(false);
    if (!decided_) return true;
    const std::string taken = std::exchange(pending_, {});
    return convert(taken, text, false);
}

bool TextDecoder::finish(std::string& text) {
    if (!decided_) decide(true);
    const std::string taken = std::exchange(pending_, {});
    return convert(taken, text, true);
}

bool TextDecoder::convert(std::string_view bytes, std::string& text, bool is_end) {
    if (!converter_) {
        text += bytes;
        offset_ += bytes.size();
        return true;
    }
    std::array<char, 8192> buffer;
    char* from = const_cast<char*>(bytes.data());  // iconv does not write to it
    size_t left = bytes.size();
    bool more = true;
    while (more) {
        char* to = buffer.data();
        size_t room = buffer.size();
        // At the end the converter is asked for what it holds back.
        const bool flush = left == 0;
        if (flush && !is_end) break;
        const size_t done = flush ? iconv(*converter_, nullptr, nullptr, &to, &room)
                                  : iconv(*converter_, &from, &left, &to, &room);
        const int problem = done == static_cast<size_t>(-1) ? errno : 0;
        text.append(buffer.data(), buffer.size() - room);
        more = !flush || problem == E2BIG;
        if (problem == 0 || problem == E2BIG) continue;
        const size_t at = bytes.size() - left;
        if (problem == EINVAL && !is_end) {  // a character is cut
            pending_ = std::string(bytes.substr(at));
            break;
        }
        if (!invalid(text, at)) return false;
        const size_t skipped = std::min(left, unit_of(encoding_));
        from += skipped;
        left -= skipped;
    }
    offset_ += bytes.size() - pending_.size();
    return true;
}

bool TextDecoder::invalid(std::string& text, size_t at) {
    if (lossy_) {
        text += kReplacement;
        return true;
    }
    invalid_at_ = offset_ + at;
    return false;
}

std::string TextDecoder::problem() const {
    return "not " + encoding_ + " at byte " + std::to_string(invalid_at_.value_or(0));
}

}  // namespace rpt::cli
