#include "storage/words/terms.h"

#include <array>
#include <utility>

#include "base/letter_case.h"
#include "base/unicode_classes.h"

namespace rpt::storage {
namespace {

constexpr size_t kGram = 4;  // characters

// Scripts without spaces between words: Han, kana, Thai, Lao, Burmese, Khmer.
constexpr std::array<std::pair<char32_t, char32_t>, 12> kUnspaced{{{0x0E00, 0x0EFF},
                                                                   {0x1000, 0x109F},
                                                                   {0x1780, 0x17FF},
                                                                   {0x2E80, 0x2FDF},
                                                                   {0x3005, 0x3007},
                                                                   {0x3021, 0x3029},
                                                                   {0x3040, 0x30FF},
                                                                   {0x31F0, 0x31FF},
                                                                   {0x3400, 0x9FFF},
                                                                   {0xF900, 0xFAFF},
                                                                   {0xFF66, 0xFF9F},
                                                                   {0x20000, 0x3FFFF}}};

bool is_unspaced(char32_t point) {
    if (point < kUnspaced.front().first) return false;
    for (const auto& [first, last] : kUnspaced)
        if (point >= first && point <= last) return true;
    return false;
}

void append(std::string& out, char32_t point) {
    const auto byte = [&](uint32_t value) { out.push_back(static_cast<char>(value)); };
    const uint32_t p = point;
    if (p < 0x80) {
        byte(p);
    } else if (p < 0x800) {
        byte(0xC0 | p >> 6);
        byte(0x80 | (p & 63));
    } else if (p < 0x10000) {
        byte(0xE0 | p >> 12);
        byte(0x80 | (p >> 6 & 63));
        byte(0x80 | (p & 63));
    } else {
        byte(0xF0 | p >> 18);
        byte(0x80 | (p >> 12 & 63));
        byte(0x80 | (p >> 6 & 63));
        byte(0x80 | (p & 63));
    }
}

enum class Shape { kSeparator, kUnder, kLower, kUpper, kUnspaced };

struct Character {
    Shape shape;
    char32_t folded;
    size_t size;  // bytes
};

Character character_at(std::string_view text, size_t at, bool in_word) {
    const CodePoint point = code_point_at(text, at);
    const bool stray = point.value == 0xFFFD;
    if (point.value == U'_') return {Shape::kUnder, U'_', 1};
    const CharClass kind =
        point.value < 128 ? detail::kAsciiClasses[point.value] : class_of(point.value);
    const bool word = kind == CharClass::kLetter || kind == CharClass::kNumber ||
                      (in_word && is_mark(point.value));
    if (stray || !word) return {Shape::kSeparator, point.value, point.size};
    if (is_unspaced(point.value)) return {Shape::kUnspaced, point.value, point.size};
    const char32_t folded = fold_case(point.value);
    return {folded != point.value ? Shape::kUpper : Shape::kLower, folded, point.size};
}

// One run of characters that belong together, handed out as terms.
class Run {
  public:
    explicit Run(const TermSink& sink) : sink_(sink) {}

    bool empty() const { return whole_.empty(); }
    Shape last() const { return last_; }

    void add(const Character& character, size_t at, bool lower_follows) {
        if (whole_.empty()) begin_ = at;
        if (character.shape == Shape::kUnder) {
            close_part(at);
            append(whole_, U'_');
        } else {
            const bool capital =
                character.shape == Shape::kUpper && !part_.empty() &&
                (last_ == Shape::kLower || (last_ == Shape::kUpper && lower_follows));
            if (capital) close_part(at);
            if (part_.empty()) part_begin_ = at;
            append(part_, character.folded);
            append(whole_, character.folded);
        }
        last_ = character.shape;
        end_ = at + character.size;
        if (whole_.size() + 4 > kMostTermBytes) close();
    }

    void close() {
        if (whole_.empty()) return;
        close_part(end_);
        if (parts_ > 1) sink_({TermKind::kIdentifier, inner(), begin_, end_});
        whole_.clear();
        parts_ = 0;
    }

  private:
    // Without underscores at the ends.
    std::string_view inner() const {
        const size_t first = whole_.find_first_not_of('_'), last = whole_.find_last_not_of('_');
        return std::string_view(whole_).substr(first, last + 1 - first);
    }

    void close_part(size_t end) {
        if (part_.empty()) return;
        sink_({TermKind::kWord, part_, part_begin_, end});
        ++parts_;
        part_.clear();
    }

    const TermSink& sink_;
    std::string whole_, part_;
    size_t begin_ = 0, end_ = 0, part_begin_ = 0, parts_ = 0;
    Shape last_ = Shape::kSeparator;
};

// Pairs of neighbouring characters of a script without spaces.
class Pairs {
  public:
    explicit Pairs(const TermSink& sink) : sink_(sink) {}

    void add(const Character& character, size_t at) {
        std::string one;
        append(one, character.folded);
        if (count_ > 0) {
            const std::string pair = last_ + one;
            sink_({TermKind::kWord, pair, last_at_, at + character.size});
        }
        last_ = std::move(one);
        last_at_ = at;
        last_end_ = at + character.size;
        ++count_;
    }

    void close() {
        if (count_ == 1) sink_({TermKind::kWord, last_, last_at_, last_end_});
        count_ = 0;
    }

  private:
    const TermSink& sink_;
    std::string last_;
    size_t last_at_ = 0, last_end_ = 0, count_ = 0;
};

}  // namespace

void for_each_word(std::string_view text, const TermSink& sink) {
    Run run(sink);
    Pairs pairs(sink);
    for (size_t at = 0; at < text.size();) {
        const Character here = character_at(text, at, !run.empty());
        if (here.shape != Shape::kUnspaced) pairs.close();
        if (here.shape == Shape::kSeparator || here.shape == Shape::kUnspaced) run.close();
        if (here.shape == Shape::kUnspaced) {
            pairs.add(here, at);
        } else if (here.shape != Shape::kSeparator) {
            const size_t behind = at + here.size;
            const bool lower_follows = here.shape == Shape::kUpper && run.last() == Shape::kUpper &&
                                       behind < text.size() &&
                                       character_at(text, behind, true).shape == Shape::kLower;
            run.add(here, at, lower_follows);
        }
        at += here.size;
    }
    pairs.close();
    run.close();
}

std::vector<std::string_view> grams_of(std::string_view word) {
    std::vector<size_t> begins;
    for (size_t at = 0; at < word.size(); at += code_point_at(word, at).size) begins.push_back(at);
    begins.push_back(word.size());
    if (begins.size() <= kGram + 1) return {word};
    std::vector<std::string_view> grams;
    for (size_t i = 0; i + kGram < begins.size(); ++i)
        grams.push_back(word.substr(begins[i], begins[i + kGram] - begins[i]));
    return grams;
}

}  // namespace rpt::storage
