#include "core/weights/package.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/input_file.h"
#include "core/weights/package_header.h"

namespace rpt::weights {
namespace {

using nlohmann::json;

constexpr size_t kHashedAtOnce = 1 << 20;  // bytes

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
    if (const auto roles = header.metadata.find("roles"); roles != header.metadata.end()) {
        const Digest digest = sha256(roles->second.data(), roles->second.size());
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

class PackageFile final : public Package {
  public:
    PackageFile(const std::string& path, bool verify, const CallControl& control)
        : path_(path), file_(path) {
        if (file_.size() < 8)
            throw_corrupt_package(
                path, "only " + std::to_string(file_.size()) + " bytes, not a safetensors file");
        uint8_t size[8];
        file_.read(0, std::as_writable_bytes(std::span(size)));
        uint64_t header_size = 0;
        for (int i = 0; i < 8; ++i) header_size |= uint64_t(size[i]) << (8 * i);
        if (header_size > kMostHeaderBytes || header_size > file_.size() - 8)
            throw_corrupt_package(path, "its header would end at byte " +
                                            std::to_string(header_size) + " of " +
                                            std::to_string(file_.size()) +
                                            ", so it is truncated or not a safetensors file");
        data_begin_ = 8 + header_size;
        std::string text(header_size, 0);
        file_.read(8, std::as_writable_bytes(std::span(text)));
        header_ = parse_package_header(path, text, file_.size() - data_begin_);
        for (const auto& [name, entry] : header_.tensors)
            tensors_[name] = {entry.dtype, entry.shape, entry.end - entry.begin};
        check_digests(verify, control);
    }

    const std::map<std::string, TensorInfo>& tensors() const override { return tensors_; }
    void read_at(const std::string& name, uint64_t offset,
                 std::span<std::byte> out) const override {
        const TensorEntry& entry = header_.tensors.at(name);
        RPT_CHECK(offset + out.size() <= entry.end - entry.begin);
        file_.read(data_begin_ + entry.begin + offset, out);
    }
    const std::map<std::string, std::string>& metadata() const override { return header_.metadata; }
    const Digest& fingerprint() const override { return fingerprint_; }

  private:
    std::string hash_tensors(const CallControl& control) const {
        const uint64_t total = file_.size() - data_begin_;
        std::vector<std::byte> part(std::min<uint64_t>(total, kHashedAtOnce));
        Sha256 hash;
        for (uint64_t at = 0; at < total; at += part.size()) {
            control.report(at, total);
            const auto bytes = std::span(part).first(std::min<uint64_t>(part.size(), total - at));
            file_.read(data_begin_ + at, bytes);
            hash.update(bytes.data(), bytes.size());
        }
        return to_hex(hash.finish());
    }

    void check_digests(bool verify, const CallControl& control) {
        const auto told = header_.metadata.find("sha256");
        std::string hex = told == header_.metadata.end() ? "" : told->second;
        if (verify || hex.empty()) {
            const std::string found = hash_tensors(control);
            if (hex.empty()) hex = found;
            if (found != hex)
                throw_corrupt_package(
                    path_, "its tensor bytes do not match their SHA-256, so some were changed");
        }
        fingerprint_ = fingerprint_of(header_, hex);
        const auto name = header_.metadata.find("fingerprint");
        if (name != header_.metadata.end() && name->second != to_hex(fingerprint_))
            throw_corrupt_package(path_,
                                  "its configuration, tokenizer or tensor names do not match its "
                                  "fingerprint, so some bytes were changed");
    }

    const std::string path_;
    const InputFile file_;
    uint64_t data_begin_ = 0;
    PackageHeader header_;
    std::map<std::string, TensorInfo> tensors_;
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

std::shared_ptr<const Package> Package::open(const std::string& path, bool verify,
                                             const CallControl& control) {
    return std::make_shared<PackageFile>(path, verify, control);
}

const std::string& Package::config_json() const {
    return required(*this, "config");
}

const std::string& Package::tokenizer_json() const {
    return required(*this, "tokenizer");
}

std::string Package::roles_json() const {
    const auto found = metadata().find("roles");
    return found == metadata().end() ? std::string() : found->second;
}

void write_package(const std::string& path, const std::map<std::string, TensorData>& tensors,
                   std::map<std::string, std::string> metadata) {
    std::vector<const std::pair<const std::string, TensorData>*> order;
    for (const auto& entry : tensors) order.push_back(&entry);
    std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
        return dtype_alignment(a->second.dtype) > dtype_alignment(b->second.dtype);
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
