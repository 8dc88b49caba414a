#include "core/weights/folder_model.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/input_file.h"
#include "core/text/imported_tokenizer.h"
#include "core/weights/decoder_tensors.h"
#include "core/weights/folder_config.h"
#include "core/weights/imported_config.h"
#include "core/weights/imported_package.h"
#include "core/weights/safetensors_file.h"

namespace rpt::weights {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t kMostConfigBytes = 1 << 20;
constexpr uint64_t kMostTokenizerBytes = 128 << 20;
constexpr const char* kIndex = "model.safetensors.index.json";

class Folder {
  public:
    explicit Folder(const std::string& path) : path_(path) {}

    bool has(const std::string& name) const {
        std::error_code error;
        return fs::exists(fs::path(path_) / name, error);
    }
    std::string file(const std::string& name) const { return (fs::path(path_) / name).string(); }
    // Empty if there is no such file and it is not `required`.
    std::string text(const char* name, uint64_t most, bool required) const {
        if (!has(name)) {
            if (!required) return {};
            throw Error(Status::kNotFound, "rpt",
                        "model \"" + path_ + "\" has no " + name +
                            "; a folder needs config.json, tokenizer.json and safetensors");
        }
        const InputFile input(file(name));
        if (input.size() > most)
            throw_corrupt_model(path_, std::string("its ") + name + " has " +
                                           std::to_string(input.size()) + " bytes, more than " +
                                           std::to_string(most));
        std::string bytes(input.size(), 0);
        input.read(0, std::as_writable_bytes(std::span(bytes)));
        return bytes;
    }

    // Names of the files that hold tensors.
    std::set<std::string> tensor_files() const {
        std::set<std::string> names;
        if (has(kIndex)) return indexed_files();
        if (has("model.safetensors")) return {"model.safetensors"};
        std::error_code error;
        for (fs::directory_iterator it(path_, error), end; !error && it != end;
             it.increment(error)) {
            const std::string name = it->path().filename().string();
            if (name.ends_with(".safetensors")) names.insert(name);
        }
        if (error)
            throw Error(Status::kIo, "os",
                        "cannot read folder \"" + path_ + "\": " + error.message());
        if (names.empty())
            throw Error(Status::kNotFound, "rpt",
                        "model \"" + path_ +
                            "\" has no file *.safetensors; files of other kinds are not read");
        return names;
    }

  private:
    std::set<std::string> indexed_files() const {
        const json index = json::parse(text(kIndex, kMostTokenizerBytes, true), nullptr, false);
        const json* map =
            index.is_object() && index.contains("weight_map") ? &index.at("weight_map") : nullptr;
        if (!map || !map->is_object())
            throw_corrupt_model(path_, std::string("its ") + kIndex + " has no \"weight_map\"");
        std::set<std::string> names;
        for (const auto& [tensor, name] : map->items()) {
            const std::string file = name.is_string() ? name.get<std::string>() : "";
            if (!file.ends_with(".safetensors") || file.find('/') != std::string::npos)
                throw_corrupt_model(path_, std::string("its ") + kIndex + " names \"" +
                                               file.substr(0, 64) + "\", no file of safetensors");
            names.insert(file);
        }
        return names;
    }

    const std::string& path_;
};

// Tensors of all files by name, and the file of each.
struct Shards {
    std::map<std::string, TensorInfo> tensors;
    std::map<std::string, std::shared_ptr<const TensorSource>> sources;
};

Shards open_shards(const std::string& path, const Folder& folder) {
    Shards shards;
    for (const std::string& name : folder.tensor_files()) {
        const auto shard = std::make_shared<const SafetensorsFile>(folder.file(name), kAnyFile);
        for (const auto& [tensor, info] : shard->tensors()) {
            if (!shards.tensors.emplace(tensor, info).second)
                throw_corrupt_model(path, "tensor \"" + tensor + "\" stands in two files");
            shards.sources[tensor] = shard;
        }
    }
    return shards;
}

}  // namespace

std::shared_ptr<const Package> open_folder_model(const std::string& path,
                                                 const CallControl& control) {
    const Folder folder(path);
    const model::ModelConfig config =
        read_folder_config(path, folder.text("config.json", kMostConfigBytes, true));
    Metadata metadata;
    metadata["config"] = imported_config_json(path, config);
    const Shards shards = open_shards(path, folder);
    std::map<std::string, TensorOrigin> origins;
    for (const auto& [ours, theirs] : match_tensors(path, shards.tensors, config, Naming::kFolder))
        origins[ours] = {shards.sources.at(theirs), theirs};

    text::ImportedTokenizer imported = text::import_tokenizer(
        folder.text("tokenizer.json", kMostTokenizerBytes, true),
        folder.text("tokenizer_config.json", kMostTokenizerBytes, false), size_t(config.vocab));
    metadata["tokenizer"] = imported.tokenizer->to_json();
    metadata["roles"] = imported.tokenizer->roles_json();
    std::string form = imported.chat_template;
    if (form.empty()) form = folder.text("chat_template.jinja", kMostConfigBytes, false);
    if (!form.empty()) metadata["chat_template"] = form;
    control.check();
    return std::make_shared<const ImportedPackage>(std::move(origins), std::move(metadata),
                                                   control);
}

}  // namespace rpt::weights
