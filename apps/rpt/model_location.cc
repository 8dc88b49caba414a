#include "apps/rpt/model_location.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "apps/rpt/handles.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPackage = ".safetensors";
constexpr const char* kGguf = ".gguf";
constexpr const char* kMemory = ".memory.safetensors";

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

struct Place {
    fs::path folder;
    bool shipped = false;
};

// The user's own models stand before shipped ones of the same name.
std::vector<Place> model_places() {
    std::vector<Place> places;
    if (const std::string own = user_models(); !own.empty()) places.push_back({own, false});
    for (const fs::path& place : shipped_places("models")) places.push_back({place, true});
    // what `make build` imported
    if (const std::string tree = own_source_tree(); !tree.empty())
        places.push_back({fs::path(tree) / "build" / "models", false});
    return places;
}

// Ordinary files by name; none where the folder cannot be read.
std::vector<fs::path> files_of(const fs::path& folder) {
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
        std::error_code odd;
        if (it->is_regular_file(odd)) files.push_back(it->path());
    }
    std::ranges::sort(files);
    return files;
}

bool is_memory(const std::string& name) {
    return name.ends_with(kMemory);
}

}  // namespace

std::string find_shipped(const std::string& folder, const std::string& file) {
    std::error_code error;
    for (const fs::path& place : shipped_places(folder)) {
        if (fs::is_regular_file(place / file, error)) return (place / file).string();
    }
    return {};
}

std::string own_source_tree() {
#ifdef RPT_SOURCE_TREE
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    const fs::path tree = fs::canonical(RPT_SOURCE_TREE, error);
    if (!error && program.string().starts_with(tree.string() + "/")) return tree.string();
#endif
    return {};
}

std::string user_models() {
    const auto variable = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value == nullptr ? "" : value);
    };
    // the specification takes absolute paths alone
    if (const std::string data = variable("XDG_DATA_HOME"); data.starts_with('/'))
        return (fs::path(data) / "rpt" / "models").string();
    if (const std::string home = variable("HOME"); !home.empty())
        return (fs::path(home) / ".local" / "share" / "rpt" / "models").string();
    return {};
}

std::string find_model(const std::string& wanted) {
    std::error_code error;
    const bool looks_like_path = wanted.find('/') != std::string::npos ||
                                 wanted.ends_with(kPackage) || wanted.ends_with(kGguf);
    if (looks_like_path || fs::exists(wanted, error)) return wanted;
    if (std::string found = find_named_model(wanted); !found.empty()) return found;
    std::string text = "model \"" + wanted + "\": not found in";
    for (const Place& place : model_places()) text += " \"" + place.folder.string() + "\"";
    throw Failure(text + "; give the path of a model file with --model");
}

std::string find_named_model(const std::string& name) {
    std::error_code error;
    for (const Place& place : model_places())
        for (const char* ending : {kPackage, kGguf})
            if (const fs::path file = place.folder / (name + ending);
                fs::is_regular_file(file, error))
                return file.string();
    return {};
}

std::vector<FoundModel> list_models() {
    std::vector<FoundModel> models;
    for (const Place& place : model_places())
        for (const fs::path& file : files_of(place.folder)) {
            const std::string name = file.filename().string();
            if (is_memory(name) || !(name.ends_with(kPackage) || name.ends_with(kGguf))) continue;
            std::error_code error;
            FoundModel model{model_name(name), file.string(), place.shipped,
                             fs::file_size(file, error), memory_beside(file.string())};
            if (!fs::exists(model.memory, error)) model.memory.clear();
            models.push_back(std::move(model));
        }
    return models;
}

std::vector<std::string> list_memory_files() {
    std::vector<std::string> found;
    for (const Place& place : model_places())
        for (const fs::path& file : files_of(place.folder))
            if (is_memory(file.filename().string())) found.push_back(file.string());
    return found;
}

std::string memory_beside(const std::string& model) {
    const fs::path path = fs::path(model).lexically_normal();
    const fs::path folder =
        path.has_filename() ? path.parent_path() : path.parent_path().parent_path();
    return (folder / (model_name(model) + kMemory)).string();
}

std::string model_name(const std::string& path) {
    const fs::path normal = fs::path(path).lexically_normal();
    const std::string name =
        (normal.has_filename() ? normal : normal.parent_path()).filename().string();
    for (const std::string_view ending : {kPackage, kGguf})
        if (name.size() > ending.size() && name.ends_with(ending))
            return name.substr(0, name.size() - ending.size());
    return name;
}

}  // namespace rpt::cli
