#include "tests/many/signed_documents.h"

#include <cmath>
#include <cstdlib>

#include "storage/codec/pointer_codec.h"

namespace rpt::many {
namespace {

uint64_t mix(uint64_t a, uint64_t b) {
    uint64_t x = a ^ (b + 0x9E3779B97F4A7C15u + (a << 6) + (a >> 2));
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

uint64_t hash_of(std::string_view text) {
    uint64_t h = text.size();
    for (const char c : text) h = mix(h, uint8_t(c));
    return h;
}

// Multiples of 1/256 in [-1, 1): exact in fp16.
std::vector<float> noise(uint64_t seed, size_t n) {
    std::vector<float> out(n);
    for (size_t i = 0; i < n; ++i) out[i] = float(int(mix(seed, i) % 512) - 256) / 256.0f;
    return out;
}

std::string hex(uint64_t value) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out(16, '0');
    for (size_t i = 0; i < 16; ++i) out[i] = kDigits[value >> (60 - 4 * i) & 15];
    return out;
}

std::string signed_line(const std::string& key, uint64_t stamp, uint64_t number,
                        const std::string& rest) {
    const std::string body =
        key + "|" + std::to_string(stamp) + "|" + std::to_string(number) + "|" + rest + "|";
    return body + hex(hash_of(body)) + "\n";
}

std::string_view without_feed(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    return line;
}

std::vector<int32_t> tokens_of_line(std::string_view line) {
    std::vector<int32_t> tokens;
    for (uint32_t t = 0; t < kSignedTokens; ++t)
        tokens.push_back(int32_t(mix(hash_of(without_feed(line)), t) % 1000));
    return tokens;
}

// [kSignedTokens, kSignedPointers]
std::vector<float> pointers_of_line(std::string_view line) {
    return noise(hash_of(without_feed(line)) + 2, size_t(kSignedTokens) * kSignedPointers);
}

}  // namespace

storage::ModelBinding signed_model() {
    storage::ModelBinding model;
    model.fingerprint.fill(9);
    model.dim = kSignedDim;
    model.chunk_tokens = kSignedTokens;
    model.pointer_dim = kSignedPointers;
    return model;
}

std::optional<Line> read_line(std::string_view text) {
    text = without_feed(text);
    if (text.size() < 17 || text.find('\n') != std::string_view::npos) return std::nullopt;
    const std::string_view body = text.substr(0, text.size() - 16);
    if (text.substr(text.size() - 16) != hex(hash_of(body))) return std::nullopt;
    std::vector<std::string> fields;
    for (size_t at = 0; at < body.size();) {
        const size_t end = body.find('|', at);
        if (end == std::string_view::npos) return std::nullopt;
        fields.emplace_back(body.substr(at, end - at));
        at = end + 1;
    }
    if (fields.size() != 5) return std::nullopt;
    Line line;
    line.key = fields[0];
    line.stamp = std::strtoull(fields[1].c_str(), nullptr, 10);
    line.number = std::strtoull(fields[2].c_str(), nullptr, 10);
    line.last = fields[3] == "end";
    if (line.last) line.sum = fields[4];
    return line;
}

std::string body_segment(const std::string& key, uint64_t stamp, size_t segment) {
    std::string text;
    for (size_t i = 0; i < kLinesPerSegment; ++i) {
        const uint64_t number = segment * kLinesPerSegment + i;
        text += signed_line(key, stamp, number,
                            "body|" + std::string(20 + mix(stamp, number) % 60, 'x'));
    }
    return text;
}

std::string last_segment(const std::string& key, uint64_t stamp, std::string_view before) {
    return signed_line(key, stamp, lines_of(before).size(), "end|" + hex(hash_of(before)));
}

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    for (size_t at = 0; at < text.size();) {
        const size_t feed = text.find('\n', at);
        const size_t end = feed == std::string_view::npos ? text.size() : feed + 1;
        lines.emplace_back(text.substr(at, end - at));
        at = end;
    }
    return lines;
}

std::vector<std::string> segments_of(std::string_view text) {
    std::vector<std::string> segments;
    const std::vector<std::string> lines = lines_of(text);
    for (size_t i = 0; i < lines.size(); ++i) {
        if (i % kLinesPerSegment == 0) segments.emplace_back();
        segments.back() += lines[i];
    }
    return segments;
}

std::string fault_of_text(std::string_view text, const std::string& key, bool finished) {
    std::string before;
    bool ended = false;
    uint64_t number = 0;
    for (const std::string& text_of_line : lines_of(text)) {
        const auto line = read_line(text_of_line);
        const std::string where = "line " + std::to_string(number) + " of " + key;
        if (!line) return where + " is damaged";
        if (line->key != key) return where + " is of " + line->key;
        if (line->number != number) return where + " has number " + std::to_string(line->number);
        if (ended) return where + " is behind the end";
        ended = line->last;
        if (ended && line->sum != hex(hash_of(before))) return where + ": the sum of all differs";
        before += text_of_line;
        ++number;
    }
    if (finished && !ended) return key + " is finished without an end";
    return {};
}

std::vector<float> key_of_line(std::string_view line) {
    return noise(hash_of(without_feed(line)), kSignedDim);
}

std::vector<float> states_of_line(std::string_view line) {
    return noise(hash_of(without_feed(line)) + 1, size_t(kSignedTokens) * kSignedDim);
}

bool states_fit(const std::vector<float>& stored, std::string_view line) {
    const std::vector<float> wanted = states_of_line(line);
    if (stored.size() != wanted.size()) return false;
    for (size_t i = 0; i < wanted.size(); ++i)
        if (std::abs(stored[i] - wanted[i]) > 0.006f) return false;
    return true;
}

int32_t first_token_of_line(std::string_view line) {
    return tokens_of_line(line).front();
}

bool pointers_fit(const storage::PointerSlice& stored, std::string_view line) {
    storage::PointerRows wanted;
    return storage::unpack_pointers(
               storage::encode_pointers(pointers_of_line(line), kSignedPointers), kSignedTokens,
               kSignedPointers, wanted) &&
           std::ranges::equal(stored.tokens, tokens_of_line(line)) &&
           std::ranges::equal(stored.scales, wanted.scales) &&
           std::ranges::equal(stored.nibbles, wanted.nibbles);
}

storage::SegmentRecord signed_segment(const std::string& text) {
    storage::SegmentRecord segment;
    segment.text = text;
    segment.identity = sha256(text.data(), text.size());
    uint64_t begin = 0;
    for (const std::string& line : lines_of(text)) {
        storage::ChunkRecord chunk;
        chunk.bytes = {begin, begin + line.size()};
        begin += line.size();
        chunk.tokens = tokens_of_line(line);
        chunk.key = key_of_line(line);
        chunk.states = states_of_line(line);
        chunk.pointers = pointers_of_line(line);
        segment.chunks.push_back(std::move(chunk));
    }
    return segment;
}

}  // namespace rpt::many
