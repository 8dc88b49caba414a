#include "core/weights/package_layout.h"

#include <algorithm>

namespace rpt::weights {

std::map<std::string, TensorEntry> lay_out(const std::map<std::string, TensorInfo>& tensors) {
    std::vector<const std::pair<const std::string, TensorInfo>*> order;
    for (const auto& tensor : tensors) order.push_back(&tensor);
    std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
        return dtype_alignment(a->second.dtype) > dtype_alignment(b->second.dtype);
    });
    std::map<std::string, TensorEntry> places;
    uint64_t offset = 0;
    for (const auto* tensor : order) {
        const TensorInfo& info = tensor->second;
        places[tensor->first] = {info.dtype, info.shape, offset, offset + info.bytes};
        offset += info.bytes;
    }
    return places;
}

std::vector<std::string> names_by_place(const std::map<std::string, TensorEntry>& tensors) {
    std::vector<std::string> names;
    for (const auto& [name, entry] : tensors) names.push_back(name);
    std::ranges::stable_sort(names, {}, [&](const std::string& name) {
        const TensorEntry& entry = tensors.at(name);
        return std::pair(entry.begin, entry.end);
    });
    return names;
}

void read_in_order(const TensorSource& source, const std::map<std::string, TensorEntry>& places,
                   const CallControl& control,
                   const std::function<void(std::span<const std::byte>)>& take) {
    constexpr uint64_t kReadAtOnce = 1 << 20;
    uint64_t total = 0, done = 0;
    for (const auto& [name, entry] : places) total += entry.end - entry.begin;
    std::vector<std::byte> part(std::min(total, kReadAtOnce));
    for (const std::string& name : names_by_place(places)) {
        const uint64_t bytes = places.at(name).end - places.at(name).begin;
        for (uint64_t at = 0; at < bytes; at += part.size()) {
            control.report(done, total);
            const auto out = std::span(part).first(std::min<uint64_t>(part.size(), bytes - at));
            source.read_at(name, at, out);
            take(out);
            done += out.size();
        }
    }
}

std::string hash_tensors(const TensorSource& source,
                         const std::map<std::string, TensorEntry>& places,
                         const CallControl& control) {
    Sha256 hash;
    read_in_order(source, places, control,
                  [&](std::span<const std::byte> part) { hash.update(part.data(), part.size()); });
    return to_hex(hash.finish());
}

Digest fingerprint_of(const Metadata& metadata, const std::map<std::string, TensorEntry>& places,
                      const std::string& data_hex) {
    Sha256 hash;
    for (const char* key : {"config", "tokenizer"}) {
        const auto found = metadata.find(key);
        const std::string text = found == metadata.end() ? "" : found->second;
        const Digest digest = sha256(text.data(), text.size());
        hash.update(digest.data(), digest.size());
    }
    if (const auto roles = metadata.find("roles"); roles != metadata.end()) {
        const Digest digest = sha256(roles->second.data(), roles->second.size());
        hash.update(digest.data(), digest.size());
    }
    for (const auto& [name, entry] : places) {
        std::string line = name + ' ' + std::string(dtype_name(entry.dtype));
        for (const int64_t size : entry.shape) line += ' ' + std::to_string(size);
        line += ' ' + std::to_string(entry.begin) + '\n';
        hash.update(line.data(), line.size());
    }
    return hash.update(data_hex.data(), data_hex.size()).finish();
}

}  // namespace rpt::weights
