#include "core/weights/package_writer.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/error.h"
#include "core/weights/package_layout.h"

namespace rpt::weights {
namespace {

using nlohmann::json;
using Places = std::map<std::string, TensorEntry>;

class InMemory final : public TensorSource {
  public:
    InMemory(const std::string& path, const std::map<std::string, TensorData>& tensors)
        : data_(tensors) {
        for (const auto& [name, tensor] : tensors) {
            const uint64_t bytes = tensor_bytes(path, name, tensor.dtype, tensor.shape);
            RPT_CHECK(bytes == tensor.data.size());
            tensors_[name] = {tensor.dtype, tensor.shape, bytes};
        }
    }
    const std::map<std::string, TensorInfo>& tensors() const override { return tensors_; }
    void read_at(const std::string& name, uint64_t offset,
                 std::span<std::byte> out) const override {
        if (!out.empty())
            std::memcpy(out.data(), data_.at(name).data.subspan(offset).data(), out.size());
    }

  private:
    const std::map<std::string, TensorData>& data_;
    std::map<std::string, TensorInfo> tensors_;
};

// The header, padded so that the tensors begin on a cache line.
std::string header_text(const Places& places, const Metadata& metadata) {
    json text = json::object();
    for (const auto& [name, entry] : places) {
        const bool blocks = is_quantised(entry.dtype);
        text[name] = {
            {"dtype", blocks ? "U8" : dtype_name(entry.dtype)},
            {"shape", blocks ? std::vector{int64_t(entry.end - entry.begin)} : entry.shape},
            {"data_offsets", {entry.begin, entry.end}}};
    }
    text["__metadata__"] = metadata;
    std::string bytes = text.dump();
    bytes.append((64 - (8 + bytes.size()) % 64) % 64, ' ');
    return bytes;
}

// What the header cannot say of blocks; empty if there are none.
std::string quantised_text(const Places& places) {
    json quantised = json::object();
    for (const auto& [name, entry] : places)
        if (is_quantised(entry.dtype))
            quantised[name] = {{"dtype", dtype_name(entry.dtype)}, {"shape", entry.shape}};
    return quantised.empty() ? "" : quantised.dump();
}

void write_file(const std::string& path, const TensorSource& source, Metadata metadata,
                const CallControl& control) {
    const Places places = lay_out(source.tensors());
    for (const auto& [name, entry] : places) check_tensor_name(path, name);
    metadata.erase("quantised");
    const std::string quantised = quantised_text(places);
    if (!quantised.empty()) metadata["quantised"] = quantised;
    metadata["format"] =
        std::string(kPackageFile.format) + std::to_string(quantised.empty() ? 1 : kQuantisedSince);
    if (!metadata.contains("sha256")) metadata["sha256"] = hash_tensors(source, places, control);
    metadata["fingerprint"] = to_hex(fingerprint_of(metadata, places, metadata["sha256"]));
    const std::string header = header_text(places, metadata);

    AtomicFile file(path);
    uint8_t size[8];
    for (int i = 0; i < 8; ++i) size[i] = uint8_t(header.size() >> (8 * i));
    file.write(size, sizeof size);
    file.write(header.data(), header.size());
    Sha256 hash;
    read_in_order(source, places, control, [&](std::span<const std::byte> part) {
        hash.update(part.data(), part.size());
        file.write(part);
    });
    if (to_hex(hash.finish()) != metadata["sha256"])
        throw Error(Status::kCorrupt, "rpt",
                    "model \"" + path + "\": its source changed while it was copied; try again");
    file.commit();
}

}  // namespace

void write_package(const std::string& path, const std::map<std::string, TensorData>& tensors,
                   Metadata metadata) {
    metadata.erase("sha256");
    write_file(path, InMemory(path, tensors), std::move(metadata), {});
}

void write_package(const std::string& path, const Package& package, const CallControl& control) {
    write_file(path, package, package.metadata(), control);
}

}  // namespace rpt::weights
