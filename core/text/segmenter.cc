#include "core/text/segmenter.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace rpt::text {

namespace {

// What a byte means to the class of the places beside it.
enum Kind : uint8_t { kOther, kBlank, kLineFeed, kOtherSpace, kMark, kContinuation };

constexpr Kind kind_of(uint8_t byte) {
    if ((byte & 0xC0) == 0x80) return kContinuation;
    switch (byte) {
        case ' ':
        case '\t':
            return kBlank;
        case '\n':
            return kLineFeed;
        case '\r':
        case '\v':
        case '\f':
            return kOtherSpace;
        case '.':
        case '!':
        case '?':
        case ';':
        case ':':
        case ',':
        case ')':
        case '}':
        case ']':
            return kMark;
        default:
            return kOther;
    }
}

constexpr bool is_space(Kind kind) {
    return kind == kBlank || kind == kLineFeed || kind == kOtherSpace;
}

// Of the place between bytes of these kinds.
constexpr uint64_t class_of(Kind before, Kind after) {
    if (before == kLineFeed && after != kLineFeed) return 3;
    if (is_space(after) && before == kMark) return 2;
    if (after == kBlank && !is_space(before)) return 1;
    return 0;
}

constexpr std::array<uint8_t, 256> make_kinds() {
    std::array<uint8_t, 256> kinds{};
    for (size_t b = 0; b < 256; ++b) kinds[b] = kind_of(uint8_t(b));
    return kinds;
}

// Classes in the two highest bits, by kind before * 8 + kind after.
constexpr std::array<uint64_t, 64> make_classes() {
    std::array<uint64_t, 64> classes{};
    for (uint8_t a = kOther; a <= kContinuation; ++a)
        for (uint8_t b = kOther; b <= kContinuation; ++b)
            classes[size_t(a * 8 + b)] = class_of(Kind(a), Kind(b)) << 62;
    return classes;
}

// Splitmix64 from 0. On disk, never renumber: every stored border depends on it.
constexpr std::array<uint64_t, 256> make_gears() {
    std::array<uint64_t, 256> gears{};
    uint64_t state = 0;
    for (uint64_t& gear : gears) {
        state += 0x9E3779B97F4A7C15u;
        uint64_t x = state;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
        gear = x ^ (x >> 31);
    }
    return gears;
}

constexpr std::array<uint8_t, 256> kKinds = make_kinds();
constexpr std::array<uint64_t, 64> kClasses = make_classes();
constexpr std::array<uint64_t, 256> kGears = make_gears();

// Two bits a byte: after 32 bytes a byte has left the hash.
constexpr uint64_t next_hash(uint64_t hash, uint8_t byte) {
    return (hash << 2) + kGears[byte];
}

// Kinds of the last four bytes, the newest lowest.
constexpr bool inside_code_point(uint32_t kinds) {
    constexpr uint32_t kAll = kContinuation * 0x01010101u;
    return (kinds & 0xFF) == kContinuation && kinds != kAll;
}

// Values of the places before one byte after the other; 0: no value.
struct Scanner {
    uint64_t hash;
    uint32_t kinds;

    uint64_t value_before(uint8_t byte) {
        const uint32_t kind = kKinds[byte];
        const uint64_t rank = kClasses[(kinds & 7) * 8 + kind];
        kinds = kinds << 8 | kind;
        const uint64_t value = rank | hash >> 2;
        hash = next_hash(hash, byte);
        if (kind != kContinuation) [[likely]]
            return value;
        return inside_code_point(kinds) ? 0 : value;
    }
};

void check(const SegmenterOptions& options) {
    RPT_CHECK(options.half_window >= 1 && options.max_bytes >= uint64_t(options.half_window) + 4);
}

}  // namespace

Segmenter::Segmenter(SegmenterOptions options)
    : options_(options), recent_(options.half_window, 0), limit_(options.max_bytes) {
    check(options);
}

Segmenter Segmenter::resume(std::string_view left, SegmenterOptions options) {
    Segmenter segmenter(options);
    segmenter.take(left, nullptr);
    segmenter.base_ = left.size();
    segmenter.limit_ = left.size() + options.max_bytes;
    return segmenter;
}

void Segmenter::append(std::string_view bytes, std::vector<uint64_t>& borders) {
    take(bytes, &borders);
}

uint64_t Segmenter::decided() const {
    const uint64_t natural = end_ - std::min<uint64_t>(end_, options_.half_window);
    const uint64_t forced = limit_ - 3;  // a code point has at most three bytes before a border
    return std::max(std::min(natural, forced), base_) - base_;
}

// Without `borders` (what stands before the border resumed at) nothing is reported or forced.
void Segmenter::take(std::string_view bytes, std::vector<uint64_t>* borders) {
    const uint64_t w = options_.half_window;
    if (end_ == 0 && !bytes.empty()) {  // place 0 is no border: the first byte has no place
        Scanner scanner{hash_, kinds_};
        scanner.value_before(uint8_t(bytes[0]));
        hash_ = scanner.hash;
        kinds_ = scanner.kinds;
        end_ = 1;
        bytes.remove_prefix(1);
    }
    while (!bytes.empty()) {
        uint64_t n = std::min<uint64_t>(bytes.size(), w - n_recent_);
        if (borders != nullptr) {
            // stop behind the places limit_ and limit_ + w
            const uint64_t event = end_ <= limit_ ? limit_ : limit_ + w;
            n = std::min(n, event + 1 - end_);
        }
        if (candidate_ != 0) {
            follow_candidate(bytes.data(), size_t(n));
        } else {
            n = seek_candidate(bytes.data(), size_t(n));
        }
        end_ += n;
        bytes.remove_prefix(size_t(n));
        pass_events(borders);
    }
}

void Segmenter::follow_candidate(const char* bytes, size_t n) {
    Scanner scanner{hash_, kinds_};
    uint64_t best = candidate_value_;
    uint64_t* const recent = recent_.data();
    size_t n_recent = n_recent_;
    for (size_t i = 0; i < n; ++i) {
        const uint64_t value = scanner.value_before(uint8_t(bytes[i]));
        if (value > best) [[unlikely]] {
            best = value;
            candidate_ = end_ + i;
            n_recent = 0;
            continue;
        }
        recent[n_recent++] = value;
    }
    candidate_value_ = best;
    n_recent_ = n_recent;
    hash_ = scanner.hash;
    kinds_ = scanner.kinds;
}

// Returns the bytes taken: up to the first candidate, that included.
size_t Segmenter::seek_candidate(const char* bytes, size_t n) {
    Scanner scanner{hash_, kinds_};
    uint64_t* const recent = recent_.data() + n_recent_;
    uint64_t since = since_;
    size_t i = 0;
    while (i < n) {
        const uint64_t value = scanner.value_before(uint8_t(bytes[i]));
        if (value > std::max(since, recent[i])) [[unlikely]] {
            candidate_ = end_ + i++;
            candidate_value_ = value;
            break;
        }
        since = std::max(since, value);
        recent[i++] = value;
    }
    since_ = since;
    n_recent_ = candidate_ != 0 ? 0 : n_recent_ + i;
    hash_ = scanner.hash;
    kinds_ = scanner.kinds;
    return i;
}

void Segmenter::pass_events(std::vector<uint64_t>* borders) {
    const uint64_t w = options_.half_window;
    if (n_recent_ == w) {  // with a candidate: nothing greater came within w
        if (candidate_ >= w && candidate_ > base_) add_border(candidate_, borders);
        candidate_ = 0;
        n_recent_ = 0;
        since_ = 0;
        for (size_t i = recent_.size() - 1; i > 0; --i)
            recent_[i - 1] = std::max(recent_[i - 1], recent_[i]);
    }
    if (borders == nullptr) return;
    const uint64_t place = end_ - 1;  // the last one whose value is known
    if (place == limit_) {
        // at most three continuation bytes back to a place that is not inside a code point
        uint32_t kinds = kinds_;
        forced_place_ = place;
        if (inside_code_point(kinds))
            for (; (kinds & 0xFF) == kContinuation; kinds >>= 8) --forced_place_;
    } else if (place == limit_ + w) {
        add_border(forced_place_, borders);
    }
}

void Segmenter::add_border(uint64_t place, std::vector<uint64_t>* borders) {
    if (borders == nullptr) return;
    borders->push_back(place - base_);
    limit_ = place + options_.max_bytes;
}

std::vector<uint64_t> segment_borders_slow(std::string_view text, SegmenterOptions options) {
    check(options);
    const uint64_t n = text.size(), w = options.half_window;
    const auto byte = [&](uint64_t at) { return uint8_t(text[size_t(at)]); };
    const auto continues = [&](uint64_t at) { return (byte(at) & 0xC0) == 0x80; };
    const auto inside = [&](uint64_t p) {
        if (!continues(p)) return false;
        return p < 3 || !continues(p - 1) || !continues(p - 2) || !continues(p - 3);
    };
    std::vector<uint64_t> values(size_t(n), 0);
    for (uint64_t p = 1; p < n; ++p) {
        if (inside(p)) continue;
        uint64_t hash = 0;
        for (uint64_t back = 1; back <= std::min<uint64_t>(p, 32); ++back)
            hash += kGears[byte(p - back)] << 2 * (back - 1);
        values[p] = class_of(kind_of(byte(p - 1)), kind_of(byte(p))) << 62 | hash >> 2;
    }
    const auto natural = [&](uint64_t p) {
        if (values[p] == 0) return false;
        for (uint64_t q = p - w; q < p; ++q)
            if (values[q] >= values[p]) return false;
        for (uint64_t q = p + 1; q <= p + w; ++q)
            if (values[q] > values[p]) return false;
        return true;
    };
    std::vector<uint64_t> borders;
    uint64_t last = 0;
    for (uint64_t p = 1; p + w < n; ++p) {
        if (p >= w && natural(p)) {
            borders.push_back(last = p);
        } else if (p == last + options.max_bytes) {
            uint64_t place = p;
            while (inside(place)) --place;
            borders.push_back(last = place);
        }
    }
    return borders;
}

}  // namespace rpt::text
