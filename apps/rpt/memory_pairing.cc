#include "apps/rpt/memory_pairing.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

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

MemoryFile read_memory_file(const std::string& path) {
    MemoryFile out;
    out.path = path;
    std::ifstream in(path, std::ios::binary);
    uint64_t size = 0;
    for (int i = 0; i < 8; ++i) size |= uint64_t(uint8_t(in.get())) << (8 * i);
    if (!in || size > kMostHeaderBytes) return out;
    std::string text(size, 0);
    if (!in.read(text.data(), std::streamsize(size))) return out;
    const json header = json::parse(text, nullptr, false);
    if (!header.is_object() || !header.contains("__metadata__")) return out;
    const json& metadata = header.at("__metadata__");
    if (!metadata.is_object()) return out;
    if (const auto weights = metadata.find("weights");
        weights != metadata.end() && weights->is_string())
        out.weights = weights->get<std::string>();
    out.untrained = metadata.contains("untrained");
    return out;
}

MemoryFile bring_memory(const std::string& source, const std::string& model,
                        const std::string& fingerprint) {
    const std::string target = memory_beside(model);
    std::vector<std::string> paths = {memory_beside(source), target};
    for (std::string& file : list_memory_files()) paths.push_back(std::move(file));
    std::vector<MemoryFile> fitting;
    std::error_code error;
    for (const std::string& path : paths) {
        if (!fs::is_regular_file(path, error)) continue;
        MemoryFile file = read_memory_file(path);
        if (file.weights == fingerprint) fitting.push_back(std::move(file));
    }
    std::ranges::stable_partition(fitting, [](const MemoryFile& file) { return !file.untrained; });
    if (fitting.empty()) return {};
    MemoryFile chosen = fitting.front();
    if (!fs::equivalent(chosen.path, target, error)) copy_file(chosen.path, target);
    chosen.path = target;
    return chosen;
}

}  // namespace rpt::cli
