#include "core/weights/package.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/mapped_file.h"

namespace rpt::weights {
namespace {

using nlohmann::json;

// On disk, never renumber: readers refuse a higher number.
constexpr int kFormatVersion = 1;
constexpr char kFormatName[] = "rpt-package-";
constexpr uint64_t kMaxHeader = 100 << 20;

struct TypeName {
    DType dtype;
    const char* name;
    size_t size;
};
constexpr TypeName kTypes[] = {{DType::kF32, "F32", 4},
                               {DType::kF16, "F16", 2},
                               {DType::kBf16, "BF16", 2},
                               {DType::kI8, "I8", 1},
                               {DType::kI64, "I64", 8}};

const TypeName& type_of(DType dtype) {
    return *std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeName& t) { return t.dtype == dtype; });
}

[[noreturn]] void corrupt(const std::string& path, const std::string& why) {
    throw Error(Status::kCorrupt, "rpt", "model \"" + path + "\": " + why + "; fetch or export it again");
}

// Elements of a shape, refusing negative sizes and products past 2^48.
uint64_t elements_of(const std::string& path, const std::string& name, const std::vector<int64_t>& shape) {
    uint64_t n = 1;
    for (const int64_t size : shape) {
        if (size < 0 || (size > 0 && n > (uint64_t(1) << 48) / uint64_t(size))) {
            corrupt(path, "tensor \"" + name + "\" has an impossible shape");
        }
        n *= uint64_t(size);
    }
    return n;
}

struct DirectoryEntry {
    DType dtype;
    std::vector<int64_t> shape;
    uint64_t offset;
};

// What a store is bound to (docs/format/package.md): configuration, tokenizer, names and places of tensors, their bytes.
Digest fingerprint_of(const std::map<std::string, std::string>& metadata,
                      const std::map<std::string, DirectoryEntry>& directory, const std::string& data_hex) {
    Sha256 hash;
    for (const char* key : {"config", "tokenizer"}) {
        const auto found = metadata.find(key);
        const Digest digest = found == metadata.end() ? sha256("", 0) : sha256(found->second.data(), found->second.size());
        hash.update(digest.data(), digest.size());
    }
    for (const auto& [name, entry] : directory) {
        std::string line = name + ' ' + type_of(entry.dtype).name;
        for (const int64_t size : entry.shape) line += ' ' + std::to_string(size);
        line += ' ' + std::to_string(entry.offset) + '\n';
        hash.update(line.data(), line.size());
    }
    return hash.update(data_hex.data(), data_hex.size()).finish();
}

class MappedPackage : public Package {
  public:
    MappedPackage(const std::string& path, bool verify) : file_(path) {
        const auto bytes = file_.bytes();
        if (bytes.size() < 8) corrupt(path, "only " + std::to_string(bytes.size()) + " bytes, not a safetensors file");
        uint64_t header_size = 0;
        for (int i = 0; i < 8; ++i) header_size |= uint64_t(bytes[size_t(i)]) << (8 * i);
        if (header_size > kMaxHeader || header_size > bytes.size() - 8) {
            corrupt(path, "its header would end at byte " + std::to_string(header_size) + " of " +
                              std::to_string(bytes.size()) + ", so it is truncated or not a safetensors file");
        }
        const auto* text = reinterpret_cast<const char*>(bytes.data()) + 8;
        const json header = json::parse(text, text + header_size, nullptr, false);
        if (!header.is_object()) corrupt(path, "its header is not JSON, so it is damaged or not a safetensors file");
        data_ = bytes.subspan(8 + header_size);
        read_metadata(path, header);
        read_tensors(path, header);
        const Digest data_digest = verify || !metadata_.count("sha256") ? sha256(data_.data(), data_.size()) : Digest{};
        if (verify && metadata_.count("sha256") && metadata_.at("sha256") != to_hex(data_digest)) {
            corrupt(path, "its tensor bytes do not match their SHA-256, so some were changed");
        }
        std::map<std::string, DirectoryEntry> directory;
        for (const auto& [name, view] : tensors_) {
            directory[name] = {view.dtype, view.shape, static_cast<uint64_t>(view.data.data() - data_.data())};
        }
        fingerprint_ = fingerprint_of(metadata_, directory,
                                      metadata_.count("sha256") ? metadata_.at("sha256") : to_hex(data_digest));
        if (metadata_.count("fingerprint") && metadata_.at("fingerprint") != to_hex(fingerprint_)) {
            corrupt(path, "its configuration, tokenizer or tensor names do not match its fingerprint, so some bytes were changed");
        }
    }

    const std::map<std::string, TensorView>& tensors() const override { return tensors_; }
    const std::map<std::string, std::string>& metadata() const override { return metadata_; }
    const Digest& fingerprint() const override { return fingerprint_; }

  private:
    void read_metadata(const std::string& path, const json& header) {
        const auto found = header.find("__metadata__");
        if (found == header.end()) {
            corrupt(path, "it has no metadata: a safetensors file, but not a model package of this library");
        }
        if (!found->is_object()) corrupt(path, "its metadata is not a JSON object");
        for (const auto& [key, value] : found->items()) {
            if (!value.is_string()) corrupt(path, "metadata \"" + key + "\" is not a string");
            metadata_[key] = value.get<std::string>();
        }
        const std::string format = metadata_.count("format") ? metadata_["format"] : "";
        if (format.rfind(kFormatName, 0) != 0) {
            corrupt(path, "its format is \"" + format.substr(0, 40) + "\": not a model package of this library");
        }
        const int version = std::atoi(format.c_str() + sizeof kFormatName - 1);
        if (version > kFormatVersion) {
            throw Error(Status::kVersion, "rpt",
                        "model \"" + path + "\" has package format " + std::to_string(version) +
                            ", this library reads up to " + std::to_string(kFormatVersion) + "; upgrade the library");
        }
    }

    void read_tensors(const std::string& path, const json& header) {
        uint64_t covered = 0;
        for (const auto& [name, entry] : header.items()) {
            if (name == "__metadata__") continue;
            TensorView view;
            uint64_t begin = 0, end = 0;
            try {
                const auto type = entry.at("dtype").get<std::string>();
                const auto* known = std::find_if(std::begin(kTypes), std::end(kTypes),
                                                 [&](const TypeName& t) { return t.name == type; });
                if (known == std::end(kTypes)) corrupt(path, "tensor \"" + name + "\" has type " + type.substr(0, 16));
                view.dtype = known->dtype;
                view.shape = entry.at("shape").get<std::vector<int64_t>>();
                begin = entry.at("data_offsets").at(0).get<uint64_t>();
                end = entry.at("data_offsets").at(1).get<uint64_t>();
            } catch (const json::exception&) {
                corrupt(path, "the header entry of tensor \"" + name + "\" is broken");
            }
            const uint64_t size = elements_of(path, name, view.shape) * type_of(view.dtype).size;
            if (begin > end || end - begin != size) {
                corrupt(path, "tensor \"" + name + "\" has " + std::to_string(end - begin) + " bytes, its shape asks for " +
                                  std::to_string(size));
            }
            if (end > data_.size()) {
                corrupt(path, "tensor \"" + name + "\" ends at byte " + std::to_string(end) + " of " +
                                  std::to_string(data_.size()) + ", so the file is truncated");
            }
            view.data = data_.subspan(begin, size);
            covered += size;
            tensors_[name] = std::move(view);
        }
        if (covered != data_.size()) {
            corrupt(path, "its tensors cover " + std::to_string(covered) + " of " + std::to_string(data_.size()) +
                              " bytes, so they overlap or leave holes");
        }
    }

    MappedFile file_;
    std::span<const std::byte> data_;
    std::map<std::string, TensorView> tensors_;
    std::map<std::string, std::string> metadata_;
    Digest fingerprint_{};
};

const std::string& required(const Package& package, const char* key) {
    const auto found = package.metadata().find(key);
    if (found == package.metadata().end()) {
        throw Error(Status::kCorrupt, "rpt", std::string("the model package has no \"") + key + "\" in its metadata; export it again");
    }
    return found->second;
}

}  // namespace

size_t dtype_size(DType dtype) {
    return type_of(dtype).size;
}

std::shared_ptr<const Package> Package::open(const std::string& path, bool verify) {
    return std::make_shared<MappedPackage>(path, verify);
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
    json header = json::object();
    std::map<std::string, DirectoryEntry> directory;
    for (const auto* entry : order) {
        const TensorData& tensor = entry->second;
        RPT_CHECK(elements_of(path, entry->first, tensor.shape) * dtype_size(tensor.dtype) == tensor.data.size());
        header[entry->first] = {{"dtype", type_of(tensor.dtype).name},
                                {"shape", tensor.shape},
                                {"data_offsets", {offset, offset + tensor.data.size()}}};
        directory[entry->first] = {tensor.dtype, tensor.shape, offset};
        hash.update(tensor.data.data(), tensor.data.size());
        offset += tensor.data.size();
    }
    metadata["format"] = kFormatName + std::to_string(kFormatVersion);
    metadata["sha256"] = to_hex(hash.finish());
    metadata["fingerprint"] = to_hex(fingerprint_of(metadata, directory, metadata["sha256"]));
    header["__metadata__"] = metadata;
    std::string text = header.dump();
    text.append((64 - (8 + text.size()) % 64) % 64, ' ');  // data starts on a cache line

    AtomicFile file(path);
    uint8_t size[8];
    for (int i = 0; i < 8; ++i) size[i] = uint8_t(text.size() >> (8 * i));
    file.write(size, sizeof size);
    file.write(text.data(), text.size());
    for (const auto* entry : order) file.write(entry->second.data);
    file.commit();
}

}  // namespace rpt::weights
