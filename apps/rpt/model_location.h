// Where model packages are found by name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rpt::cli {

// Files shipped beside the program: <program>/../share/rpt/<name>, then the source tree this
// program was built from. Empty if there is none.
std::string find_shipped(const std::string& folder, const std::string& file);
// Where imported models are kept: $XDG_DATA_HOME/rpt/models, or ~/.local/share/rpt/models. Empty if
// neither variable is set.
std::string user_models();
// The model of a command that names none (default_model.h).
inline constexpr const char* kDefaultModel = "smollm2-135m";
// `wanted` is a path or a name ("small"). A name is looked for among the user's models, then among
// the shipped ones. Throws Failure naming the places looked at.
std::string find_model(const std::string& wanted);
// The same for a name alone; empty if there is none.
std::string find_named_model(const std::string& name);
// The source tree that this program was built from, if it runs from within it; else empty.
std::string own_source_tree();

struct FoundModel {
    std::string name, path;
    bool shipped = false;
    uint64_t bytes = 0;
    std::string memory;  // path of the memory file beside it; empty if there is none
};
// By name, the user's first. Of two with one name, what find_model() takes comes first.
std::vector<FoundModel> list_models();
// Memory files among the user's models and the shipped ones.
std::vector<std::string> list_memory_files();
// "a/NAME.memory.safetensors" for the model "a/NAME.gguf", "a/NAME.safetensors" or "a/NAME".
std::string memory_beside(const std::string& model);
// The last part of a model's path without its ending.
std::string model_name(const std::string& path);

}  // namespace rpt::cli
