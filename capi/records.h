// Records that cross the border: sizes checked, tails checked, nothing written past what the caller
// has.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace rpt::capi {

// kArgument unless `known` <= size <= 65536: a shorter record is uninitialised or was laid out by
// other rules.
void check_record_size(uint32_t size, size_t known, const char* name);
// kUnsupported if any byte is set: the caller asks for something this library does not know.
void check_tail_clear(const unsigned char* tail, size_t size, const char* name);
// kArgument naming the bits.
void check_flags(uint32_t flags, uint32_t known, const char* name);
// kUnsupported: a reserved field may get a meaning later.
void check_reserved(uint64_t value, const char* name);

// A copy of the options, all zero for NULL. A record that has grown was `first` bytes long in the
// first version: what an older host's lacks is zero.
template <class T>
T read_options(const T* in, const char* name, size_t first = sizeof(T)) {
    T out{};
    if (!in) return out;
    check_record_size(in->struct_size, first, name);
    const size_t size = in->struct_size < sizeof(T) ? in->struct_size : sizeof(T);
    check_tail_clear(reinterpret_cast<const unsigned char*>(in) + size, in->struct_size - size,
                     name);
    std::memcpy(&out, in, size);
    return out;
}

// A record of the caller that is to be filled: cleared at once, filled at the end.
template <class T>
class Result {
  public:
    // `out` may be NULL if `optional`. `first` as in read_options(): an older host gets what it
    // knows.
    Result(T* out, const char* name, bool optional = false, size_t first = sizeof(T)) : out_(out) {
        if (!out) {
            if (optional) return;
            check_record_size(0, first, name);
        }
        check_record_size(out->struct_size, first, name);
        std::memset(bytes() + sizeof(uint32_t), 0, out->struct_size - sizeof(uint32_t));
    }
    void set(const T& value) const {
        if (!out_) return;
        std::memcpy(bytes() + sizeof(uint32_t),
                    reinterpret_cast<const unsigned char*>(&value) + sizeof(uint32_t),
                    std::min<size_t>(out_->struct_size, sizeof(T)) - sizeof(uint32_t));
    }

  private:
    unsigned char* bytes() const { return reinterpret_cast<unsigned char*>(out_); }
    T* out_;
};

// The place for a handle: NULL at once, kArgument if there is no place.
template <class T>
T** clear_out(T** out) {
    if (out) {
        *out = nullptr;
    } else {
        check_record_size(0, sizeof(T*), "out");
    }
    return out;
}

// Names, keys: 1 to `max_bytes` bytes of UTF-8 without control characters; kArgument or kUtf8 (with
// offset).
std::string read_name(const char* text, size_t max_bytes, const char* name);
// As read_name, but NULL and "" give "".
std::string read_optional_name(const char* text, size_t max_bytes, const char* name);
// kArgument for NULL with a size.
void check_bytes(const void* bytes, size_t size, const char* name);
// As check_bytes; kUtf8 with the offset if the text is not valid and whole.
void check_text(const void* text, size_t size, const char* name);

inline constexpr size_t kMaxKey = 1023;
inline constexpr size_t kMaxSpaceName = 255;
inline constexpr size_t kMaxPath = 4095;
inline constexpr size_t kMaxSpaces = 64;
inline constexpr size_t kMaxRecord = 65536;

}  // namespace rpt::capi
