// Little-endian numbers into and out of byte strings: every format on disk is written with these.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace rpt {

// Appends to a string. A value; one thread at a time.
class ByteWriter {
  public:
    ByteWriter& u8(uint8_t v) { return number(v, 1); }
    ByteWriter& u16(uint16_t v) { return number(v, 2); }
    ByteWriter& u32(uint32_t v) { return number(v, 4); }
    ByteWriter& u64(uint64_t v) { return number(v, 8); }
    ByteWriter& raw(const void* data, size_t size) {
        out_.append(static_cast<const char*>(data), size);
        return *this;
    }
    // Length as u32, then the bytes.
    ByteWriter& text(std::string_view v) {
        return u32(static_cast<uint32_t>(v.size())).raw(v.data(), v.size());
    }
    void reserve(size_t size) { out_.reserve(size); }
    std::string& str() { return out_; }

  private:
    ByteWriter& number(uint64_t v, int bytes) {
        char field[8];
        for (int i = 0; i < 8; ++i) field[i] = static_cast<char>(v >> (8 * i));
        out_.append(field, static_cast<size_t>(bytes));
        return *this;
    }

    std::string out_;
};

// Reads what ByteWriter wrote. Reading past the end gives zeros and makes ok() false for good, so
// that a caller checks once at the end of a group of fields. Borrows the bytes.
class ByteReader {
  public:
    explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

    uint8_t u8() { return static_cast<uint8_t>(number(1)); }
    uint16_t u16() { return static_cast<uint16_t>(number(2)); }
    uint32_t u32() { return static_cast<uint32_t>(number(4)); }
    uint64_t u64() { return number(8); }
    std::string_view raw(size_t size) {
        if (size > rest_.size()) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const std::string_view bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return bytes;
    }
    bool ok() const { return ok_; }
    size_t left() const { return rest_.size(); }

  private:
    uint64_t number(size_t bytes) {
        if (bytes > rest_.size()) {
            raw(bytes);
            return 0;
        }
        uint64_t v = 0;  // `bytes` is a constant where this is inlined: one load
        for (size_t i = 0; i < bytes; ++i) v |= uint64_t(static_cast<uint8_t>(rest_[i])) << (8 * i);
        rest_.remove_prefix(bytes);
        return v;
    }

    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace rpt
