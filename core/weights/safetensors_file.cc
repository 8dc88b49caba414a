#include "core/weights/safetensors_file.h"

#include "base/error.h"

namespace rpt::weights {

SafetensorsFile::SafetensorsFile(const std::string& path, const FileKind& kind) : file_(path) {
    if (file_.size() < 8)
        throw_corrupt_model(
            path, "only " + std::to_string(file_.size()) + " bytes, not a safetensors file");
    uint8_t size[8];
    file_.read(0, std::as_writable_bytes(std::span(size)));
    uint64_t header_size = 0;
    for (int i = 0; i < 8; ++i) header_size |= uint64_t(size[i]) << (8 * i);
    if (header_size > kMostHeaderBytes || header_size > file_.size() - 8)
        throw_corrupt_model(path, "its header would end at byte " + std::to_string(header_size) +
                                      " of " + std::to_string(file_.size()) +
                                      ", so it is truncated or not a safetensors file");
    data_begin_ = 8 + header_size;
    std::string text(header_size, 0);
    file_.read(8, std::as_writable_bytes(std::span(text)));
    header_ = parse_safetensors_header(path, text, data_bytes(), kind);
    for (const auto& [name, entry] : header_.tensors)
        tensors_[name] = {entry.dtype, entry.shape, entry.end - entry.begin};
}

void SafetensorsFile::read_at(const std::string& name, uint64_t offset,
                              std::span<std::byte> out) const {
    const TensorEntry& entry = header_.tensors.at(name);
    RPT_CHECK(offset + out.size() <= entry.end - entry.begin);
    read_data(entry.begin + offset, out);
}

void SafetensorsFile::read_data(uint64_t offset, std::span<std::byte> out) const {
    file_.read(data_begin_ + offset, out);
}

}  // namespace rpt::weights
