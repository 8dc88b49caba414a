// rpt model import PATH: makes a model that others trained one of ours.
#include <CLI/App.hpp>
#include <chrono>
#include <filesystem>

#include "apps/rpt/memory_access.h"
#include "apps/rpt/memory_pairing.h"
#include "apps/rpt/model_location.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
    std::string path, out;
    bool replace = false;
};

std::string place_of(const Options& options) {
    if (!options.out.empty()) return options.out;
    const std::string folder = user_models();
    if (folder.empty())
        throw Failure("neither XDG_DATA_HOME nor HOME is set; give a file with --out");
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw Failure("cannot make folder \"" + folder + "\": " + error.message());
    return (fs::path(folder) / (model_name(options.path) + ".safetensors")).string();
}

int run(const Settings& settings, const Options& options) {
    const auto start = std::chrono::steady_clock::now();
    const std::string out = place_of(options);
    std::error_code error_code;
    if (!options.replace && fs::exists(out, error_code))
        throw Failure("\"" + out +
                      "\" is there already; give another file with --out, or --replace");
    const Workplace place(settings);
    rpt_import_result result = {};
    result.struct_size = sizeof result;
    {
        Progress progress("importing model", 0, Progress::Unit::kBytes, settings.quiet);
        Call call(&progress);
        Error error;
        error.check(rpt_model_import(place.env.get(), options.path.c_str(), out.c_str(), call.get(),
                                     &result, error.out()));
    }
    const std::string fingerprint = hex(result.fingerprint, sizeof result.fingerprint);
    const std::string memory = bring_memory(options.path, out, fingerprint);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (settings.json) {
        print_json({{"path", out},
                    {"name", model_name(out)},
                    {"fingerprint", fingerprint},
                    {"parameters", result.parameters},
                    {"layers", result.layers},
                    {"bytes", result.file_bytes},
                    {"memory", memory},
                    {"seconds", spent.count()}});
        return kExitDone;
    }
    print_line(out + ": " + format_count(result.parameters) + " parameters in " +
               std::to_string(result.layers) + " layers, " + format_size(result.file_bytes));
    print_line(memory.empty() ? "memory file  none" : "memory file  " + memory);
    flush_output();
    return kExitDone;
}

}  // namespace

void register_model_import(Registry& registry, CLI::App& model) {
    auto options = std::make_shared<Options>();
    CLI::App* command =
        add_command(registry, model, "import", "Make a package of a model that others trained",
                    "rpt model import SmolLM2-135M-Instruct.Q4_1.gguf\n  rpt model import "
                    "~/Qwen3-0.6B --out qwen.safetensors");
    command->add_option("PATH", options->path, "A GGUF file, or a folder of safetensors")
        ->required();
    command->add_option("--out", options->out,
                        "The package to write (default: in the user's folder of models)");
    command->add_flag("--replace", options->replace, "Replace a package that is there");
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
