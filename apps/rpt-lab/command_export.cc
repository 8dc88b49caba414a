#include <cstdio>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/text_files.h"
#include "core/model/config.h"
#include "lab/train/model_export.h"

namespace rpt::lab {
namespace {

struct ExportArguments {
    train::ExportOptions options;
    std::string tokenizer;
    std::string out;
};

int run(ExportArguments& args, const Common& common) {
    if (!args.tokenizer.empty())
        args.options.tokenizer_json = load_tokenizer(args.tokenizer)->to_json();
    const train::ExportFacts facts = train::export_model(args.options, args.out);
    if (common.json) {
        std::cout << nlohmann::ordered_json{{"model", args.out},
                                            {"step", facts.step},
                                            {"parameters", facts.parameters}}
                         .dump()
                  << "\n";
    } else {
        std::printf("%s: step %lld, %.2f M parameters, %s\n", args.out.c_str(),
                    static_cast<long long>(facts.step), static_cast<double>(facts.parameters) / 1e6,
                    args.options.half ? "fp16" : "fp32");
    }
    return kDone;
}

}  // namespace

void add_export_command(CLI::App& app, Common& common) {
    CLI::App* command =
        app.add_subcommand("export", "Write a checkpoint as a model package, or a package again");
    const auto args = std::make_shared<ExportArguments>();
    command
        ->add_option("source", args->options.source,
                     "checkpoint.safetensors of a run, or a package")
        ->required();
    command->add_option("--tokenizer", args->tokenizer,
                        "Tokenizer JSON of the training shards; a package has its own");
    command->add_option("--out", args->out, "Package to write")->required();
    command->add_option("--name", args->options.name,
                        "Name kept in the package (default: unnamed, or the package's)");
    command->add_flag("--half", args->options.half, "fp16 tensors: half the size");
    command
        ->add_option("--read-neighbours", args->options.read_neighbours,
                     "Chunks that readers retrieve for each chunk unless told (default: as many as "
                     "in training). Stores made with the package stay valid")
        ->check(CLI::Range(int64_t{1}, model::kMostNeighbours));
    command->footer(
        "Example: rpt-lab export runs/nano/checkpoint.safetensors --tokenizer tokenizer.json --out "
        "nano.safetensors --half");
    command->callback(
        [args, &common] { common.action = [args, &common] { return run(*args, common); }; });
}

}  // namespace rpt::lab
