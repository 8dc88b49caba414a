// rpt model import PATH: makes a model that others trained one of ours.
#include <CLI/App.hpp>
#include <chrono>
#include <filesystem>

#include "apps/rpt/memory_access.h"
#include "apps/rpt/model_location.h"
#include "apps/rpt/model_making.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
    std::string path, out;
    bool replace = false;
};

int run(const Settings& settings, const Options& options) {
    const auto start = std::chrono::steady_clock::now();
    const std::string out =
        options.out.empty() ? place_of_user_model(model_name(options.path)) : options.out;
    std::error_code error_code;
    if (!options.replace && fs::exists(out, error_code))
        throw Failure("\"" + out +
                      "\" is there already; give another file with --out, or --replace");
    const Workplace place(settings);
    const MadeModel made = make_model(place.env.get(), settings, options.path, out);
    const rpt_import_result& result = made.facts;
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (settings.json) {
        print_json({{"path", out},
                    {"name", model_name(out)},
                    {"fingerprint", hex(result.fingerprint, sizeof result.fingerprint)},
                    {"parameters", result.parameters},
                    {"layers", result.layers},
                    {"bytes", result.file_bytes},
                    {"memory", made.memory.path},
                    {"untrained", made.memory.untrained},
                    {"seconds", spent.count()}});
        return kExitDone;
    }
    print_line(out + ": " + format_count(result.parameters) + " parameters in " +
               std::to_string(result.layers) + " layers, " + format_size(result.file_bytes));
    if (!made.memory.path.empty()) print_line("memory file  " + made.memory.path);
    if (made.memory.untrained) print_line(kUntrainedMemory);
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
