#include "core/weights/safetensors_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"

namespace rpt::weights {
namespace {

using nlohmann::json;

constexpr int kDeepest = 4;  // brackets within each other: header, tensor, list of its numbers
constexpr size_t kMostDimensions = 8;
constexpr size_t kLongestName = 255;
constexpr uint64_t kMostElements = uint64_t(1) << 48;

// Two readers may see two different tensors behind one name, so none stands twice.
json parse(const std::string& path, std::string_view text) {
    std::vector<std::set<std::string>> open;  // names of the objects being read
    const auto watch = [&](int depth, json::parse_event_t event, json& value) {
        if (depth > kDeepest) throw_corrupt_model(path, "its header is nested too deeply");
        if (event == json::parse_event_t::object_start) open.emplace_back();
        if (event == json::parse_event_t::object_end) open.pop_back();
        if (event == json::parse_event_t::key &&
            !open.back().insert(value.get<std::string>()).second)
            throw_corrupt_model(path, "a name stands twice in its header");
        return true;
    };
    json header = json::parse(text.begin(), text.end(), watch, false);
    if (!header.is_object())
        throw_corrupt_model(path,
                            "its header is not JSON, so it is damaged or not a safetensors file");
    return header;
}

// The number behind the format's name; 0 for a file of any kind.
int check_format(const std::string& path, const std::string& format, const FileKind& kind) {
    if (kind.format.empty()) return 0;
    const bool ours = format.starts_with(kind.format);
    const std::string_view number =
        ours ? std::string_view(format).substr(kind.format.size()) : std::string_view();
    const bool whole = !number.empty() && number[0] != '0' &&
                       std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
    if (!whole)
        throw_corrupt_model(path, "its format is \"" + format.substr(0, 40) + "\": not a " +
                                      std::string(kind.name) + " of this library");
    for (int version = 1; version <= kind.newest; ++version)
        if (number == std::to_string(version)) return version;
    throw Error(Status::kVersion, "rpt",
                "model \"" + path + "\" has " + std::string(kind.name) + " format " +
                    std::string(number.substr(0, 20)) + ", this library reads up to " +
                    std::to_string(kind.newest) + "; upgrade the library");
}

std::map<std::string, std::string> read_metadata(const std::string& path, const json& header,
                                                 const FileKind& kind) {
    const auto found = header.find("__metadata__");
    if (found == header.end()) {
        if (kind.format.empty()) return {};
        throw_corrupt_model(path, "it has no metadata: a safetensors file, but not a " +
                                      std::string(kind.name) + " of this library");
    }
    if (!found->is_object()) throw_corrupt_model(path, "its metadata is not a JSON object");
    std::map<std::string, std::string> metadata;
    for (const auto& [key, value] : found->items()) {
        if (!value.is_string())
            throw_corrupt_model(path, "metadata \"" + key.substr(0, 40) + "\" is not a string");
        metadata[key] = value.get<std::string>();
    }
    return metadata;
}

std::vector<uint64_t> read_numbers(const json& list) {
    if (!list.is_array()) throw std::invalid_argument("no list");
    std::vector<uint64_t> numbers;
    for (const json& number : list) {
        if (!number.is_number_unsigned() || numbers.size() == kMostDimensions)
            throw std::invalid_argument("no list of sizes");
        numbers.push_back(number.get<uint64_t>());
    }
    return numbers;
}

std::vector<int64_t> read_shape(const json& list) {
    std::vector<int64_t> shape;
    for (const uint64_t size : read_numbers(list))
        shape.push_back(static_cast<int64_t>(std::min<uint64_t>(size, INT64_MAX)));
    return shape;
}

// What a tensor of blocks is, which the header calls bytes: {"embedding": {"dtype": "Q8_0",
// "shape": [100, 64]}}.
json read_quantised(const std::string& path, const SafetensorsHeader& header, int version) {
    const auto found = header.metadata.find("quantised");
    if (version < kQuantisedSince || found == header.metadata.end()) return json::object();
    json quantised = parse(path, found->second);
    return quantised;
}

TensorEntry read_entry(const std::string& path, const std::string& name, const json& value,
                       const json& quantised, uint64_t data_bytes) {
    check_tensor_name(path, name);
    const std::string tensor = "tensor \"" + name + "\" ";
    TensorEntry entry;
    try {
        auto type = value.at("dtype").get<std::string>();
        entry.shape = read_shape(value.at("shape"));
        const auto blocks = quantised.find(name);
        const bool in_blocks = blocks != quantised.end();
        std::vector<int64_t> stored = entry.shape;
        if (in_blocks) {
            if (type != "U8")
                throw_corrupt_model(path, tensor + "is quantised, but of type \"" +
                                              type.substr(0, 16) + "\" and not U8");
            type = blocks->at("dtype").get<std::string>();
            entry.shape = read_shape(blocks->at("shape"));
        }
        const auto known = dtype_of(type);
        if (!known || is_quantised(*known) != in_blocks)
            throw_corrupt_model(path, tensor + "has type \"" + type.substr(0, 16) + "\"");
        entry.dtype = *known;
        const std::vector<uint64_t> place = read_numbers(value.at("data_offsets"));
        if (place.size() != 2) throw std::invalid_argument("no pair");
        entry.begin = place[0];
        entry.end = place[1];
        if (in_blocks && (stored.size() != 1 || uint64_t(stored[0]) != entry.end - entry.begin))
            throw std::invalid_argument("another number of bytes");
    } catch (const json::exception&) {
        throw_corrupt_model(path, "the header entry of " + tensor + "is broken");
    } catch (const std::invalid_argument&) {
        throw_corrupt_model(path, "the header entry of " + tensor + "is broken");
    }
    const uint64_t size = tensor_bytes(path, name, entry.dtype, entry.shape);
    if (entry.begin > entry.end || entry.end - entry.begin != size)
        throw_corrupt_model(path, tensor + "stands at bytes " + std::to_string(entry.begin) +
                                      " to " + std::to_string(entry.end) + ", its shape asks for " +
                                      std::to_string(size));
    if (entry.end > data_bytes)
        throw_corrupt_model(path, tensor + "ends at byte " + std::to_string(entry.end) + " of " +
                                      std::to_string(data_bytes) + ", so the file is truncated");
    return entry;
}

void check_cover(const std::string& path, const std::map<std::string, TensorEntry>& tensors,
                 uint64_t data_bytes) {
    std::vector<const std::pair<const std::string, TensorEntry>*> order;
    for (const auto& tensor : tensors) order.push_back(&tensor);
    std::ranges::sort(order, {}, [](const auto* tensor) {
        return std::pair(tensor->second.begin, tensor->second.end);
    });
    uint64_t covered = 0;
    for (const auto* tensor : order) {
        const uint64_t begin = tensor->second.begin;
        if (begin != covered)
            throw_corrupt_model(
                path, "tensor \"" + tensor->first + "\" begins at byte " + std::to_string(begin) +
                          ", " + (begin < covered ? "inside another one" : "behind a hole") +
                          " that ends at byte " + std::to_string(std::max(begin, covered)));
        covered = tensor->second.end;
    }
    if (covered != data_bytes)
        throw_corrupt_model(path, "its tensors end at byte " + std::to_string(covered) + " of " +
                                      std::to_string(data_bytes));
}

}  // namespace

void check_tensor_name(const std::string& path, std::string_view name) {
    const bool plain = std::ranges::all_of(
        name, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
    if (name.empty() || name.size() > kLongestName || !plain)
        throw_corrupt_model(path,
                            "a tensor's name is empty, longer than 255 bytes or no plain text");
}

void throw_corrupt_model(const std::string& path, const std::string& why) {
    throw Error(Status::kCorrupt, "rpt",
                "model \"" + path + "\": " + why + "; fetch or export it again");
}

uint64_t tensor_bytes(const std::string& path, const std::string& name, DType dtype,
                      const std::vector<int64_t>& shape) {
    uint64_t n = 1;
    for (const int64_t size : shape) {
        if (size < 0 || (size > 0 && n > kMostElements / uint64_t(size)))
            throw_corrupt_model(path, "tensor \"" + name + "\" has an impossible shape");
        n *= uint64_t(size);
    }
    const size_t in_block = block_numbers(dtype);
    if (in_block > 1 && (shape.empty() || uint64_t(shape.back()) % in_block != 0))
        throw_corrupt_model(path, "tensor \"" + name + "\" has rows that are not whole blocks of " +
                                      std::to_string(in_block) + " numbers");
    return n / in_block * block_bytes(dtype);
}

SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view text,
                                           uint64_t data_bytes, const FileKind& kind) {
    const json root = parse(path, text);
    SafetensorsHeader header;
    header.metadata = read_metadata(path, root, kind);
    const int version = check_format(path, header.metadata["format"], kind);
    const json quantised = read_quantised(path, header, version);
    for (const auto& [name, value] : root.items())
        if (name != "__metadata__")
            header.tensors.emplace(name, read_entry(path, name, value, quantised, data_bytes));
    for (const auto& [name, value] : quantised.items())
        if (!header.tensors.contains(name))
            throw_corrupt_model(path, "quantised tensor \"" + name.substr(0, 40) + "\" is missing");
    check_cover(path, header.tensors, data_bytes);
    return header;
}

}  // namespace rpt::weights
