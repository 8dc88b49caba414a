#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/progress_line.h"
#include "apps/rpt-lab/text_files.h"
#include "lab/engine/torch_factory.h"
#include "lab/train/devices.h"
#include "lab/train/speed_trial.h"

namespace rpt::lab {
namespace {

struct SpeedArguments {
    std::vector<std::string> configs;
    std::string tier, data_dir, out;
    std::vector<std::string> overrides;
    int64_t steps = 10, warmup = 2;
    int threads = 0;
    std::string device = "cpu";
};

int run(const SpeedArguments& args, const Common& common) {
    if (args.threads > 0) engine::set_torch_threads(args.threads);
    std::vector<train::SpeedTrial> trials;
    for (const std::string& path : args.configs) {
        trials.push_back({std::filesystem::path(path).stem().string(),
                          train::TrainConfig::from_file(path, args.tier, args.overrides)});
    }
    ProgressLine progress(common.quiet);
    const auto rows =
        train::measure_speed(trials, args.data_dir, args.steps, args.warmup,
                             train::choose_device(args.device), [&](int64_t round) {
                                 progress.show("round " + std::to_string(round) + " of " +
                                               std::to_string(args.warmup + args.steps));
                             });
    nlohmann::ordered_json json = {
        {"steps", args.steps}, {"threads", engine::torch_threads()}, {"device", args.device}};
    for (size_t r = 0; r < rows.size(); ++r) {
        const train::SpeedRow& row = rows[r];
        json["rows"].push_back({{"config", args.configs[r]},
                                {"parameters", row.parameters},
                                {"tokens_per_second", row.tokens_per_second},
                                {"gemm_share", row.gemm_share},
                                {"time_ratio", row.time_ratio},
                                {"seconds", row.seconds}});
    }
    if (!args.out.empty()) write_file(args.out, json.dump(1) + "\n");
    if (common.json) {
        std::cout << json.dump() << "\n";
        return kDone;
    }
    std::printf("%-24s %11s  %8s  %11s  %s\n", "row", "parameters", "tokens/s", "of products",
                ("time to " + rows[0].name).c_str());
    for (const train::SpeedRow& row : rows) {
        std::printf("%-24s %9.2f M  %8.0f  %9.0f %%  %.2f\n", row.name.c_str(),
                    static_cast<double>(row.parameters) / 1e6, row.tokens_per_second,
                    100 * row.gemm_share, row.time_ratio);
    }
    return kDone;
}

}  // namespace

void add_speed_command(CLI::App& app, Common& common) {
    CLI::App* command = app.add_subcommand(
        "speed", "Measure how fast several configurations train, one step of each in turn");
    const auto args = std::make_shared<SpeedArguments>();
    command
        ->add_option("configs", args->configs,
                     "Configurations of rpt-lab train; the others are compared with the first")
        ->required();
    command->add_option("--data-dir", args->data_dir, "Directory that shards are named in")
        ->default_val(".");
    command->add_option("--tier", args->tier, "JSON whose keys every config changes");
    command->add_option("--set", args->overrides, "Override a key of every config")->take_all();
    command->add_option("--steps", args->steps, "Timed steps of each row")
        ->capture_default_str()
        ->check(CLI::Range(1, 100000));
    command->add_option("--warmup", args->warmup, "Steps before them that are not timed")
        ->capture_default_str()
        ->check(CLI::Range(0, 1000));
    command->add_option("--threads", args->threads, "0: as many as the machine has cores");
    command->add_option("--device", args->device, "cpu or cuda")->capture_default_str();
    command->add_option("--out", args->out, "The measurement as JSON");
    command->footer(
        "Example: rpt-lab speed txl.json retro.json rpt.json --data-dir data --steps 20");
    command->callback(
        [args, &common] { common.action = [args, &common] { return run(*args, common); }; });
}

}  // namespace rpt::lab
