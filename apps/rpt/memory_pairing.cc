#include "apps/rpt/memory_pairing.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "apps/rpt/handles.h"
#include "apps/rpt/model_location.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t kMostHeaderBytes = 1 << 20;

// In whole or not at all: a copy that was cut short would make the model fail to open.
void copy_file(const fs::path& from, const fs::path& to) {
    const fs::path part = to.string() + ".part";
    std::error_code error;
    fs::copy_file(from, part, fs::copy_options::overwrite_existing, error);
    if (!error) fs::rename(part, to, error);
    if (!error) return;
    std::error_code ignored;
    fs::remove(part, ignored);
    throw Failure("cannot copy \"" + from.string() + "\" to \"" + to.string() +
                  "\": " + error.message());
}

}  // namespace

std::string weights_of_memory(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    uint64_t size = 0;
    for (int i = 0; i < 8; ++i) size |= uint64_t(uint8_t(in.get())) << (8 * i);
    if (!in || size > kMostHeaderBytes) return {};
    std::string text(size, 0);
    if (!in.read(text.data(), std::streamsize(size))) return {};
    const json header = json::parse(text, nullptr, false);
    const json::json_pointer place("/__metadata__/weights");
    if (!header.is_object() || !header.contains(place) || !header.at(place).is_string()) return {};
    return header.at(place).get<std::string>();
}

std::string bring_memory(const std::string& source, const std::string& model,
                         const std::string& fingerprint) {
    std::vector<std::string> candidates = {memory_beside(source)};
    for (std::string& file : list_memory_files()) candidates.push_back(std::move(file));
    const std::string target = memory_beside(model);
    std::error_code error;
    for (const std::string& file : candidates) {
        if (!fs::is_regular_file(file, error) || weights_of_memory(file) != fingerprint) continue;
        if (!fs::equivalent(file, target, error)) copy_file(file, target);
        return target;
    }
    return {};
}

}  // namespace rpt::cli
