#include "core/weights/package_header.h"

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
        if (depth > kDeepest) throw_corrupt_package(path, "its header is nested too deeply");
        if (event == json::parse_event_t::object_start) open.emplace_back();
        if (event == json::parse_event_t::object_end) open.pop_back();
        if (event == json::parse_event_t::key &&
            !open.back().insert(value.get<std::string>()).second)
            throw_corrupt_package(path, "a name stands twice in its header");
        return true;
    };
    json header = json::parse(text.begin(), text.end(), watch, false);
    if (!header.is_object())
        throw_corrupt_package(path,
                              "its header is not JSON, so it is damaged or not a safetensors file");
    return header;
}

void check_format(const std::string& path, const std::string& format) {
    const bool ours = format.starts_with(kPackageFormat);
    const std::string_view number =
        ours ? std::string_view(format).substr(kPackageFormat.size()) : std::string_view();
    const bool whole = !number.empty() && number[0] != '0' &&
                       std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
    if (!whole)
        throw_corrupt_package(path, "its format is \"" + format.substr(0, 40) +
                                        "\": not a model package of this library");
    if (number != std::to_string(kPackageVersion))
        throw Error(Status::kVersion, "rpt",
                    "model \"" + path + "\" has package format " +
                        std::string(number.substr(0, 20)) + ", this library reads up to " +
                        std::to_string(kPackageVersion) + "; upgrade the library");
}

std::map<std::string, std::string> read_metadata(const std::string& path, const json& header) {
    const auto found = header.find("__metadata__");
    if (found == header.end())
        throw_corrupt_package(
            path,
            "it has no metadata: a safetensors file, but not a model package of this library");
    if (!found->is_object()) throw_corrupt_package(path, "its metadata is not a JSON object");
    std::map<std::string, std::string> metadata;
    for (const auto& [key, value] : found->items()) {
        if (!value.is_string())
            throw_corrupt_package(path, "metadata \"" + key.substr(0, 40) + "\" is not a string");
        metadata[key] = value.get<std::string>();
    }
    check_format(path, metadata["format"]);
    return metadata;
}

// Names come back in error lines and in the lines of the fingerprint.
void check_name(const std::string& path, const std::string& name) {
    const bool plain = std::ranges::all_of(
        name, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
    if (name.empty() || name.size() > kLongestName || !plain)
        throw_corrupt_package(path,
                              "a tensor's name is empty, longer than 255 bytes or no plain text");
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

TensorEntry read_entry(const std::string& path, const std::string& name, const json& value,
                       uint64_t data_bytes) {
    check_name(path, name);
    const std::string tensor = "tensor \"" + name + "\" ";
    TensorEntry entry;
    try {
        const auto type = value.at("dtype").get<std::string>();
        const auto known = dtype_of(type);
        if (!known || is_quantised(*known))
            throw_corrupt_package(path, tensor + "has type \"" + type.substr(0, 16) + "\"");
        entry.dtype = *known;
        for (const uint64_t size : read_numbers(value.at("shape")))
            entry.shape.push_back(static_cast<int64_t>(std::min<uint64_t>(size, INT64_MAX)));
        const std::vector<uint64_t> place = read_numbers(value.at("data_offsets"));
        if (place.size() != 2) throw std::invalid_argument("no pair");
        entry.begin = place[0];
        entry.end = place[1];
    } catch (const json::exception&) {
        throw_corrupt_package(path, "the header entry of " + tensor + "is broken");
    } catch (const std::invalid_argument&) {
        throw_corrupt_package(path, "the header entry of " + tensor + "is broken");
    }
    const uint64_t size = tensor_bytes(path, name, entry.dtype, entry.shape);
    if (entry.begin > entry.end || entry.end - entry.begin != size)
        throw_corrupt_package(path, tensor + "stands at bytes " + std::to_string(entry.begin) +
                                        " to " + std::to_string(entry.end) +
                                        ", its shape asks for " + std::to_string(size));
    if (entry.end > data_bytes)
        throw_corrupt_package(path, tensor + "ends at byte " + std::to_string(entry.end) + " of " +
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
            throw_corrupt_package(
                path, "tensor \"" + tensor->first + "\" begins at byte " + std::to_string(begin) +
                          ", " + (begin < covered ? "inside another one" : "behind a hole") +
                          " that ends at byte " + std::to_string(std::max(begin, covered)));
        covered = tensor->second.end;
    }
    if (covered != data_bytes)
        throw_corrupt_package(path, "its tensors end at byte " + std::to_string(covered) + " of " +
                                        std::to_string(data_bytes));
}

}  // namespace

void throw_corrupt_package(const std::string& path, const std::string& why) {
    throw Error(Status::kCorrupt, "rpt",
                "model \"" + path + "\": " + why + "; fetch or export it again");
}

uint64_t tensor_bytes(const std::string& path, const std::string& name, DType dtype,
                      const std::vector<int64_t>& shape) {
    uint64_t n = 1;
    for (const int64_t size : shape) {
        if (size < 0 || (size > 0 && n > kMostElements / uint64_t(size)))
            throw_corrupt_package(path, "tensor \"" + name + "\" has an impossible shape");
        n *= uint64_t(size);
    }
    const size_t in_block = block_numbers(dtype);
    if (in_block > 1 && (shape.empty() || uint64_t(shape.back()) % in_block != 0))
        throw_corrupt_package(path, "tensor \"" + name +
                                        "\" has rows that are not whole blocks of " +
                                        std::to_string(in_block) + " numbers");
    return n / in_block * block_bytes(dtype);
}

PackageHeader parse_package_header(const std::string& path, std::string_view text,
                                   uint64_t data_bytes) {
    const json root = parse(path, text);
    PackageHeader header;
    header.metadata = read_metadata(path, root);
    for (const auto& [name, value] : root.items())
        if (name != "__metadata__")
            header.tensors.emplace(name, read_entry(path, name, value, data_bytes));
    check_cover(path, header.tensors, data_bytes);
    return header;
}

}  // namespace rpt::weights
