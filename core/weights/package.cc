#include "core/weights/package.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file_bytes.h"
#include "core/weights/package_header.h"

namespace rpt::weights {
namespace {

using nlohmann::json;

// What a store is bound to (docs/format/package.md): configuration, tokenizer, names and places of
// tensors, their bytes.
Digest fingerprint_of(const PackageHeader& header, const std::string& data_hex) {
    Sha256 hash;
    for (const char* key : {"config", "tokenizer"}) {
        const auto found = header.metadata.find(key);
        const std::string text = found == header.metadata.end() ? "" : found->second;
        const Digest digest = sha256(text.data(), text.size());
        hash.update(digest.data(), digest.size());
    }
    for (const auto& [name, entry] : header.tensors) {
        std::string line = name + ' ' + std::string(dtype_name(entry.dtype));
        for (const int64_t size : entry.shape) line += ' ' + std::to_string(size);
        line += ' ' + std::to_string(entry.begin) + '\n';
        hash.update(line.data(), line.size());
    }
    return hash.update(data_hex.data(), data_hex.size()).finish();
}

class FilePackage : public Package {
  public:
    FilePackage(const std::string& path, bool verify) : file_(path) {
        const auto bytes = file_.bytes();
        if (bytes.size() < 8)
            throw_corrupt_package(
                path, "only " + std::to_string(bytes.size()) + " bytes, not a safetensors file");
        uint64_t header_size = 0;
        for (int i = 0; i < 8; ++i) header_size |= uint64_t(bytes[size_t(i)]) << (8 * i);
        if (header_size > kMostHeaderBytes || header_size > bytes.size() - 8)
            throw_corrupt_package(path, "its header would end at byte " +
                                            std::to_string(header_size) + " of " +
                                            std::to_string(bytes.size()) +
                                            ", so it is truncated or not a safetensors file");
        const auto* text = reinterpret_cast<const char*>(bytes.data()) + 8;
        const auto data = bytes.subspan(8 + header_size);
        PackageHeader header = parse_package_header(path, {text, size_t(header_size)}, data.size());
        check_digests(path, header, data, verify);
        for (auto& [name, entry] : header.tensors)
            tensors_[name] = {entry.dtype, std::move(entry.shape),
                              data.subspan(entry.begin, entry.end - entry.begin)};
        metadata_ = std::move(header.metadata);
    }

    const std::map<std::string, TensorView>& tensors() const override { return tensors_; }
    const std::map<std::string, std::string>& metadata() const override { return metadata_; }
    const Digest& fingerprint() const override { return fingerprint_; }

  private:
    void check_digests(const std::string& path, const PackageHeader& header,
                       std::span<const std::byte> data, bool verify) {
        const auto told = header.metadata.find("sha256");
        std::string hex = told == header.metadata.end() ? "" : told->second;
        if (verify || hex.empty()) {
            const std::string found = to_hex(sha256(data.data(), data.size()));
            if (hex.empty()) hex = found;
            if (found != hex)
                throw_corrupt_package(
                    path, "its tensor bytes do not match their SHA-256, so some were changed");
        }
        fingerprint_ = fingerprint_of(header, hex);
        const auto name = header.metadata.find("fingerprint");
        if (name != header.metadata.end() && name->second != to_hex(fingerprint_))
            throw_corrupt_package(path,
                                  "its configuration, tokenizer or tensor names do not match its "
                                  "fingerprint, so some bytes were changed");
    }

    FileBytes file_;
    std::map<std::string, TensorView> tensors_;
    std::map<std::string, std::string> metadata_;
    Digest fingerprint_{};
};

const std::string& required(const Package& package, const char* key) {
    const auto found = package.metadata().find(key);
    if (found == package.metadata().end()) {
        throw Error(Status::kCorrupt, "rpt",
                    std::string("the model package has no \"") + key +
                        "\" in its metadata; export it again");
    }
    return found->second;
}

}  // namespace

std::shared_ptr<const Package> Package::open(const std::string& path, bool verify) {
    return std::make_shared<FilePackage>(path, verify);
}

const std::string& Package::config_json() const {
    return required(*this, "config");
}

const std::string& Package::tokenizer_json() const {
    return required(*this, "tokenizer");
}

void write_package(const std::string& path, const std::map<std::string, TensorData>& tensors,
                   std::map<std::string, std::string> metadata) {
    std::vector<const std::pair<const std::string, TensorData>*> order;
    for (const auto& entry : tensors) order.push_back(&entry);
    std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
        return dtype_size(a->second.dtype) > dtype_size(b->second.dtype);
    });
    Sha256 hash;
    uint64_t offset = 0;
    PackageHeader header;
    json text = json::object();
    for (const auto* entry : order) {
        const TensorData& tensor = entry->second;
        const uint64_t size = tensor_bytes(path, entry->first, tensor.dtype, tensor.shape);
        RPT_CHECK(size == tensor.data.size());
        text[entry->first] = {{"dtype", dtype_name(tensor.dtype)},
                              {"shape", tensor.shape},
                              {"data_offsets", {offset, offset + size}}};
        header.tensors[entry->first] = {tensor.dtype, tensor.shape, offset, offset + size};
        hash.update(tensor.data.data(), tensor.data.size());
        offset += size;
    }
    metadata["format"] = std::string(kPackageFormat) + std::to_string(kPackageVersion);
    metadata["sha256"] = to_hex(hash.finish());
    header.metadata = metadata;
    metadata["fingerprint"] = to_hex(fingerprint_of(header, metadata["sha256"]));
    text["__metadata__"] = metadata;
    std::string bytes = text.dump();
    bytes.append((64 - (8 + bytes.size()) % 64) % 64, ' ');  // data starts on a cache line

    AtomicFile file(path);
    uint8_t size[8];
    for (int i = 0; i < 8; ++i) size[i] = uint8_t(bytes.size() >> (8 * i));
    file.write(size, sizeof size);
    file.write(bytes.data(), bytes.size());
    for (const auto* entry : order) file.write(entry->second.data);
    file.commit();
}

}  // namespace rpt::weights
