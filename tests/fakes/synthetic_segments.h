// Segments out of a number: the same number, the same text, tokens, keys and states, on every
// machine.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "storage/store.h"

namespace rpt::synthetic {

class Numbers {
  public:
    explicit Numbers(uint64_t seed) : state_(seed) {}
    uint64_t next() {  // splitmix64
        uint64_t z = state_ += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    uint64_t below(uint64_t n) { return next() % n; }
    bool one_in(uint64_t n) { return below(n) == 0; }
    // About normal: the sum of four uniforms with variance 1.
    float normal() {
        const uint64_t bits = next();
        float sum = -2;
        for (int i = 0; i < 4; ++i)
            sum += static_cast<float>((bits >> (16 * i)) & 0xffff) * 0x1p-16f;
        return sum * 1.7320508f;
    }
    std::vector<float> vector(size_t n) {
        std::vector<float> values(n);
        for (float& v : values) v = normal();
        return values;
    }

  private:
    uint64_t state_;
};

struct Shape {
    uint32_t dim = 24;
    uint32_t chunk_tokens = 8;
    uint32_t key_dim = 0;      // of keys, at least dim; 0: dim
    uint32_t pointer_dim = 0;  // of pointer keys; 0: the model has none
};

inline storage::ModelBinding model_of(const Shape& shape) {
    storage::ModelBinding model;
    model.fingerprint.fill(7);
    model.dim = shape.dim;
    model.chunk_tokens = shape.chunk_tokens;
    model.key_dim = shape.key_dim;
    model.pointer_dim = shape.pointer_dim;
    return model;
}

// What names a segment. An open one of the same seed and more chunks begins with the same chunks.
struct SegmentName {
    uint64_t seed = 0;
    uint32_t chunks = 1;
    bool open = false;
    bool operator==(const SegmentName&) const = default;
};

// Random tokens of two bytes, or of four where one does not fit.
inline std::vector<int32_t> chunk_tokens_of(Numbers& numbers, const Shape& shape) {
    std::vector<int32_t> tokens(shape.chunk_tokens);
    for (int32_t& token : tokens) token = static_cast<int32_t>(numbers.below(60000));
    return tokens;
}

// Unit vectors, [chunk_tokens, pointer_dim].
inline std::vector<float> pointers_of(uint64_t seed, const Shape& shape) {
    Numbers numbers(seed ^ 0x706f696e74657273u);
    std::vector<float> rows = numbers.vector(size_t(shape.chunk_tokens) * shape.pointer_dim);
    for (size_t begin = 0; begin < rows.size(); begin += shape.pointer_dim) {
        float sum = 0;
        for (size_t i = 0; i < shape.pointer_dim; ++i) sum += rows[begin + i] * rows[begin + i];
        for (size_t i = 0; i < shape.pointer_dim; ++i) rows[begin + i] /= std::sqrt(sum);
    }
    return rows;
}

// 48 bytes, of no other chunk.
inline std::string chunk_text_of(Numbers& numbers) {
    static constexpr char kLetters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .";
    std::string text(48, ' ');
    for (char& c : text) c = kLetters[numbers.below(64)];
    return text;
}

inline std::string text_of(const SegmentName& name) {
    std::string text;
    for (uint32_t i = 0; i < name.chunks; ++i) {
        Numbers numbers(name.seed * 4096 + i);
        text += chunk_text_of(numbers);
    }
    return text;
}

inline storage::SegmentRecord segment_of(const SegmentName& name, const Shape& shape) {
    storage::SegmentRecord segment;
    for (uint32_t i = 0; i < name.chunks; ++i) {
        Numbers numbers(name.seed * 4096 + i);
        storage::ChunkRecord chunk;
        const std::string text = chunk_text_of(numbers);
        chunk.bytes = {segment.text.size(), segment.text.size() + text.size()};
        segment.text += text;
        chunk.tokens = chunk_tokens_of(numbers, shape);
        chunk.key = numbers.vector(shape.dim);
        chunk.states = numbers.vector(size_t(shape.chunk_tokens) * shape.dim);
        while (chunk.key.size() < shape.key_dim) chunk.key.push_back(numbers.normal());
        chunk.pointers = pointers_of(name.seed * 4096 + i, shape);
        chunk.provisional = name.open && i + 1 == name.chunks;
        segment.chunks.push_back(std::move(chunk));
    }
    if (!name.open) segment.identity = sha256(segment.text.data(), segment.text.size());
    return segment;
}

inline std::string text_of(const std::vector<SegmentName>& names) {
    std::string text;
    for (const SegmentName& name : names) text += text_of(name);
    return text;
}

inline Digest hash_of(const std::vector<SegmentName>& names) {
    const std::string text = text_of(names);
    return sha256(text.data(), text.size());
}

}  // namespace rpt::synthetic
