#include "core/weights/gguf_reader.h"

#include <algorithm>
#include <cstring>

#include "core/weights/safetensors_header.h"

namespace rpt::weights {

void GgufReader::corrupt(const std::string& why) const {
    throw_corrupt_model(path_, why);
}

void GgufReader::need(uint64_t bytes, const char* what) const {
    if (bytes > file_.size() - at_)
        corrupt(std::string(what) + " at byte " + std::to_string(at_) + " would take " +
                std::to_string(bytes) + " bytes of " + std::to_string(file_.size()) +
                ", so the file is truncated or damaged");
}

void GgufReader::read(std::span<std::byte> out) {
    constexpr uint64_t kReadAtOnce = 1 << 16;
    while (!out.empty()) {
        if (at_ < buffer_at_ || at_ >= buffer_at_ + buffer_.size()) {
            buffer_.resize(std::min(kReadAtOnce, file_.size() - at_));
            file_.read(at_, buffer_);
            buffer_at_ = at_;
        }
        const auto there = std::span(buffer_).subspan(at_ - buffer_at_);
        const size_t n = std::min(out.size(), there.size());
        std::memcpy(out.data(), there.data(), n);
        out = out.subspan(n);
        at_ += n;
    }
}

uint64_t GgufReader::number(size_t bytes, const char* what) {
    need(bytes, what);
    uint8_t field[8] = {};
    read(std::as_writable_bytes(std::span(field).first(bytes)));
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value |= uint64_t(field[i]) << (8 * i);
    return value;
}

uint64_t GgufReader::count(uint64_t least_bytes, const char* what) {
    const uint64_t n = u64(what);
    if (n > (file_.size() - at_) / least_bytes)
        corrupt(std::string(what) + " is " + std::to_string(n) + ", more than its " +
                std::to_string(file_.size()) + " bytes hold");
    return n;
}

std::string GgufReader::text(uint64_t most, const char* what) {
    const uint64_t size = u64(what);
    need(size, what);
    if (size > most)
        corrupt(std::string(what) + " at byte " + std::to_string(at_) + " has " +
                std::to_string(size) + " bytes, more than " + std::to_string(most));
    std::string bytes(size, 0);
    read(std::as_writable_bytes(std::span(bytes)));
    return bytes;
}

void GgufReader::skip(uint64_t bytes, const char* what) {
    need(bytes, what);
    at_ += bytes;
}

}  // namespace rpt::weights
