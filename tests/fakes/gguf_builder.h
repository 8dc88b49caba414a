// Writes GGUF files field by field, and remembers where each field stands, so that tests can
// falsify every one.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_order.h"

namespace rpt::fakes {

struct GgufField {
    std::string what;
    size_t begin, size;
};

class GgufBuilder {
  public:
    uint32_t version = 3;
    uint64_t alignment = 32;

    GgufBuilder& u32(const std::string& key, uint32_t value) {
        return scalar(
            key, 4, [value](ByteWriter& out) { out.u32(value); }, 4);
    }
    GgufBuilder& f32(const std::string& key, float value) {
        return scalar(
            key, 6, [value](ByteWriter& out) { out.u32(std::bit_cast<uint32_t>(value)); }, 4);
    }
    GgufBuilder& truth(const std::string& key, bool value) {
        return scalar(
            key, 7, [value](ByteWriter& out) { out.u8(value); }, 1);
    }
    GgufBuilder& text(const std::string& key, const std::string& value) {
        begin_key(key, 8);
        long_text("value of " + key, value);
        return *this;
    }
    GgufBuilder& texts(const std::string& key, const std::vector<std::string>& values) {
        begin_key(key, 9);
        field("element type of " + key, 4, [](ByteWriter& out) { out.u32(8); });
        field("length of " + key, 8, [&](ByteWriter& out) { out.u64(values.size()); });
        for (const std::string& value : values) long_text("element of " + key, value);
        return *this;
    }
    GgufBuilder& integers(const std::string& key, const std::vector<int32_t>& values) {
        begin_key(key, 9);
        field("element type of " + key, 4, [](ByteWriter& out) { out.u32(5); });
        field("length of " + key, 8, [&](ByteWriter& out) { out.u64(values.size()); });
        for (const int32_t value : values) keys_.u32(uint32_t(value));
        return *this;
    }
    // `sizes` from the outermost to the innermost; `type` as ggml numbers it.
    GgufBuilder& tensor(const std::string& name, const std::vector<uint64_t>& sizes, uint32_t type,
                        std::string bytes) {
        tensors_.push_back({name, {sizes.rbegin(), sizes.rend()}, type, std::move(bytes)});
        return *this;
    }
    GgufBuilder& floats(const std::string& name, const std::vector<uint64_t>& sizes,
                        const std::vector<float>& values) {
        ByteWriter bytes;
        for (const float value : values) bytes.u32(std::bit_cast<uint32_t>(value));
        return tensor(name, sizes, 0, bytes.str());
    }

    struct File {
        std::string bytes;
        std::vector<GgufField> fields;
    };
    File build() const {
        ByteWriter out;
        File file;
        const auto field = [&](const std::string& what, size_t size) {
            file.fields.push_back({what, out.str().size(), size});
        };
        out.raw("GGUF", 4);
        field("version", 4), out.u32(version);
        field("number of tensors", 8), out.u64(tensors_.size());
        field("number of keys", 8), out.u64(n_keys_);
        for (GgufField inner : key_fields_) {
            inner.begin += out.str().size();
            file.fields.push_back(std::move(inner));
        }
        ByteWriter keys = keys_;
        out.raw(keys.str().data(), keys.str().size());
        uint64_t offset = 0;
        for (const Tensor& tensor : tensors_) {
            field("length of a tensor's name", 8), out.u64(tensor.name.size());
            out.raw(tensor.name.data(), tensor.name.size());
            field("number of sizes of " + tensor.name, 4), out.u32(uint32_t(tensor.sizes.size()));
            for (const uint64_t size : tensor.sizes)
                field("size of " + tensor.name, 8), out.u64(size);
            field("type of " + tensor.name, 4), out.u32(tensor.type);
            field("place of " + tensor.name, 8), out.u64(offset);
            offset = (offset + tensor.bytes.size() + alignment - 1) / alignment * alignment;
        }
        pad(out);
        for (const Tensor& tensor : tensors_) {
            out.raw(tensor.bytes.data(), tensor.bytes.size());
            pad(out);
        }
        file.bytes = out.str();
        return file;
    }

  private:
    struct Tensor {
        std::string name;
        std::vector<uint64_t> sizes;
        uint32_t type;
        std::string bytes;
    };

    void pad(ByteWriter& out) const {
        while (out.str().size() % alignment != 0) out.u8(0);
    }
    template <typename Write>
    void field(const std::string& what, size_t size, Write write) {
        key_fields_.push_back({what, keys_.str().size(), size});
        write(keys_);
    }
    void long_text(const std::string& what, const std::string& value) {
        field("length of the " + what, 8, [&](ByteWriter& out) { out.u64(value.size()); });
        keys_.raw(value.data(), value.size());
    }
    void begin_key(const std::string& key, uint32_t type) {
        ++n_keys_;
        long_text("key " + key, key);
        field("type of " + key, 4, [type](ByteWriter& out) { out.u32(type); });
    }
    template <typename Write>
    GgufBuilder& scalar(const std::string& key, uint32_t type, Write write, size_t size) {
        begin_key(key, type);
        field("value of " + key, size, write);
        return *this;
    }

    ByteWriter keys_;
    uint64_t n_keys_ = 0;
    std::vector<GgufField> key_fields_;
    std::vector<Tensor> tensors_;
};

}  // namespace rpt::fakes
