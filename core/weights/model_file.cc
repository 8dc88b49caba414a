#include "core/weights/model_file.h"

#include <filesystem>

#include "base/error.h"
#include "core/weights/folder_model.h"
#include "core/weights/gguf_file.h"
#include "core/weights/gguf_model.h"
#include "core/weights/memory_file.h"

namespace rpt::weights {

std::shared_ptr<const Package> open_model_alone(const std::string& path, bool verify,
                                                const CallControl& control) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return open_folder_model(path, control);
    if (is_gguf(path)) return open_gguf_model(path, control);
    auto package = Package::open(path, verify, control);
    if (is_memory_file(*package))
        throw Error(Status::kUnsupported, "rpt",
                    "model \"" + path + "\" is a memory file; open the model beside it");
    return package;
}

std::shared_ptr<const Package> open_model(const std::string& path, bool verify,
                                          const CallControl& control) {
    auto model = open_model_alone(path, verify, control);
    const std::string memory = memory_path_of(path);
    std::error_code error;
    if (!std::filesystem::exists(memory, error)) return model;
    return join_memory(std::move(model), memory, verify, control);
}

}  // namespace rpt::weights
