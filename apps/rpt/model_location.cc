#include "apps/rpt/model_location.h"

#include <filesystem>

#include "apps/rpt/handles.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultModel = "small";

std::vector<fs::path> shipped_places(const std::string& folder) {
    std::vector<fs::path> places;
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    if (!error) places.push_back(program.parent_path().parent_path() / "share" / "rpt" / folder);
#ifdef RPT_SOURCE_TREE
    places.push_back(fs::path(RPT_SOURCE_TREE) / folder);
#endif
    return places;
}

}  // namespace

std::string find_shipped(const std::string& folder, const std::string& file) {
    std::error_code error;
    for (const fs::path& place : shipped_places(folder)) {
        if (fs::is_regular_file(place / file, error)) return (place / file).string();
    }
    return {};
}

std::string find_model(const std::string& wanted) {
    std::error_code error;
    const bool looks_like_path =
        wanted.find('/') != std::string::npos || wanted.ends_with(".safetensors");
    if (!wanted.empty() && (looks_like_path || fs::exists(wanted, error))) return wanted;
    const std::string name = wanted.empty() ? kDefaultModel : wanted;
    const std::string found = find_shipped("models", name + ".safetensors");
    if (!found.empty()) return found;
    std::string text = "model \"" + name + "\": not found in";
    for (const fs::path& place : shipped_places("models")) text += " \"" + place.string() + "\"";
    throw Failure(text + "; give the path of a model file with --model");
}

}  // namespace rpt::cli
