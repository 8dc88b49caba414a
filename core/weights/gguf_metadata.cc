#include "core/weights/gguf_metadata.h"

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "core/weights/safetensors_header.h"

namespace rpt::weights {
namespace {

// Bounds beyond every file that the library can use: a vocabulary has at most 2^24 tokens.
constexpr uint64_t kLongestKey = 255;
constexpr uint64_t kLongestText = 1 << 20;
constexpr uint64_t kLongestToken = 1 << 16;
constexpr uint64_t kMostElements = 1 << 24;
constexpr uint64_t kMostPairs = 1 << 16;

// Types of values in GGUF.
enum GgufType : uint32_t {
    kU8,
    kI8,
    kU16,
    kI16,
    kU32,
    kI32,
    kF32,
    kBool,
    kText,
    kArray,
    kU64,
    kI64,
    kF64,
};
constexpr uint64_t kTypeBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};  // at least

bool is_plain(const std::string& key) {
    return !key.empty() && std::ranges::all_of(key, [](char c) { return c > ' ' && c <= '~'; });
}

// As a signed number; what does not fit stays above every bound that a field has.
int64_t to_integer(uint32_t type, uint64_t bits) {
    switch (type) {
        case kI8:
            return int8_t(bits);
        case kI16:
            return int16_t(bits);
        case kI32:
            return int32_t(bits);
        case kI64:
            return int64_t(bits);
        default:
            return int64_t(std::min<uint64_t>(bits, INT64_MAX));
    }
}

}  // namespace

void GgufMetadata::read(GgufReader& reader, uint64_t n) {
    if (n > kMostPairs)
        reader.corrupt("its number of keys is " + std::to_string(n) + ", more than " +
                       std::to_string(kMostPairs));
    for (uint64_t i = 0; i < n; ++i) {
        const std::string key = reader.text(kLongestKey, "a key");
        if (!is_plain(key))
            reader.corrupt("key " + std::to_string(i) + " is empty or no plain text");
        if (!values_.emplace(key, read_value(reader, key)).second)
            reader.corrupt("key \"" + key + "\" stands twice");
    }
}

GgufMetadata::Value GgufMetadata::read_value(GgufReader& reader, const std::string& key) const {
    Value value;
    const uint32_t type = reader.u32("the type of a value");
    if (type >= std::size(kTypeBytes))
        reader.corrupt("key \"" + key + "\" has a value of type " + std::to_string(type) +
                       ", which GGUF does not know");
    if (type == kArray) {
        read_array(reader, key, value);
    } else if (type == kText) {
        value.kind = Kind::kText;
        value.text = reader.text(kLongestText, "a string");
    } else {
        const uint64_t bits = reader.number(kTypeBytes[type], "a number");
        const bool is_real = type == kF32 || type == kF64;
        value.kind = is_real ? Kind::kReal : Kind::kInteger;
        value.real = type == kF32 ? double(std::bit_cast<float>(uint32_t(bits)))
                                  : std::bit_cast<double>(bits);
        value.integer = to_integer(type, bits);
        if (type == kBool && bits > 1)
            reader.corrupt("key \"" + key + "\" is neither true nor false");
    }
    return value;
}

void GgufMetadata::read_array(GgufReader& reader, const std::string& key, Value& value) const {
    value.kind = Kind::kArray;
    value.element = reader.u32("the type of an array");
    if (value.element >= std::size(kTypeBytes) || value.element == kArray)
        reader.corrupt("key \"" + key + "\" is an array of type " + std::to_string(value.element) +
                       ", which is not read");
    const uint64_t bytes = kTypeBytes[value.element];
    const uint64_t n = reader.count(bytes, "the length of an array");
    const bool kept = key.starts_with("tokenizer.");
    if (kept && n > kMostElements)
        throw Error(Status::kUnsupported, "rpt",
                    "model \"" + path_ + "\": key \"" + key + "\" has " + std::to_string(n) +
                        " elements; at most 2^24 are read");
    if (value.element == kText) {
        for (uint64_t i = 0; i < n; ++i) {
            std::string text = reader.text(kLongestToken, "a string of an array");
            if (kept) value.texts.push_back(std::move(text));
        }
    } else if (kept && (value.element == kI32 || value.element == kU32)) {
        value.integers.reserve(n);
        for (uint64_t i = 0; i < n; ++i)
            value.integers.push_back(int32_t(reader.u32("a number of an array")));
    } else {
        reader.skip(n * bytes, "an array");
    }
}

const GgufMetadata::Value* GgufMetadata::find(const std::string& key, Kind kind,
                                              const char* wanted) const {
    const auto found = values_.find(key);
    if (found == values_.end()) return nullptr;
    if (found->second.kind != kind)
        throw_corrupt_model(path_, "key \"" + key + "\" is not " + wanted);
    return &found->second;
}

void GgufMetadata::missing(const std::string& key) const {
    throw_corrupt_model(path_, "it has no key \"" + key + "\"");
}

int64_t GgufMetadata::integer(const std::string& key, std::optional<int64_t> fallback) const {
    const Value* value = find(key, Kind::kInteger, "a whole number");
    if (!value && !fallback) missing(key);
    return value ? value->integer : *fallback;
}

double GgufMetadata::real(const std::string& key, std::optional<double> fallback) const {
    const Value* value = find(key, Kind::kReal, "a number with a fraction");
    if (!value && !fallback) missing(key);
    return value ? value->real : *fallback;
}

std::string GgufMetadata::text(const std::string& key, std::optional<std::string> fallback) const {
    const Value* value = find(key, Kind::kText, "a string");
    if (!value && !fallback) missing(key);
    return value ? value->text : *fallback;
}

const std::vector<std::string>& GgufMetadata::texts(const std::string& key) const {
    static const auto& kNone = *new std::vector<std::string>;
    const Value* value = find(key, Kind::kArray, "an array");
    if (value && value->element != kText)
        throw_corrupt_model(path_, "key \"" + key + "\" is not an array of strings");
    return value ? value->texts : kNone;
}

const std::vector<int32_t>& GgufMetadata::integers(const std::string& key) const {
    static const auto& kNone = *new std::vector<int32_t>;
    const Value* value = find(key, Kind::kArray, "an array");
    if (value && value->element != kI32 && value->element != kU32)
        throw_corrupt_model(path_, "key \"" + key + "\" is not an array of 32-bit numbers");
    return value ? value->integers : kNone;
}

}  // namespace rpt::weights
