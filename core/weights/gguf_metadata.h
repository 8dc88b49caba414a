// The key-value pairs of a GGUF file.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/weights/gguf_reader.h"

namespace rpt::weights {

// Plain values. A key has one of the four kinds of value; getters of another kind refuse it by
// name with kCorrupt.
class GgufMetadata {
  public:
    explicit GgufMetadata(std::string path) : path_(std::move(path)) {}
    // Reads `n` pairs. Arrays are kept where their key begins with "tokenizer." and they hold
    // strings or integers of 32 bits; of others only the length. kCorrupt for unknown types, keys
    // that stand twice, arrays within arrays; kUnsupported for more than this library can keep.
    void read(GgufReader& reader, uint64_t n);

    bool has(const std::string& key) const { return values_.contains(key); }
    // Without a fallback a missing key is kCorrupt. Integers of any width, and true and false.
    int64_t integer(const std::string& key, std::optional<int64_t> fallback = {}) const;
    double real(const std::string& key, std::optional<double> fallback = {}) const;
    std::string text(const std::string& key, std::optional<std::string> fallback = {}) const;
    // Empty if the key is missing.
    const std::vector<std::string>& texts(const std::string& key) const;
    const std::vector<int32_t>& integers(const std::string& key) const;

  private:
    enum class Kind { kInteger, kReal, kText, kArray };
    struct Value {
        Kind kind = Kind::kInteger;
        int64_t integer = 0;
        double real = 0;
        std::string text;
        std::vector<std::string> texts;
        std::vector<int32_t> integers;
        uint32_t element = 0;  // type of an array's elements
    };

    Value read_value(GgufReader& reader, const std::string& key) const;
    void read_array(GgufReader& reader, const std::string& key, Value& value) const;
    const Value* find(const std::string& key, Kind kind, const char* wanted) const;
    [[noreturn]] void missing(const std::string& key) const;

    std::string path_;
    std::map<std::string, Value> values_;
};

}  // namespace rpt::weights
