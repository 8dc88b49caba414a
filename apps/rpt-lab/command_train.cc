#include <csignal>

#include <atomic>
#include <cstdio>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/progress_line.h"
#include "apps/rpt-lab/text_files.h"
#include "lab/train/devices.h"
#include "lab/train/training_run.h"

namespace rpt::lab {
namespace {

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_interrupt(int) {
    interrupted.store(true);
    std::signal(SIGINT, SIG_DFL);  // a second one ends the program at once
}

struct TrainArguments {
    std::string config;
    std::string tier;
    std::vector<std::string> overrides;
    train::RunPaths paths;
    bool resume = false;
    std::string device = "cpu";
};

int run(const TrainArguments& args, const Common& common) {
    const auto config = train::TrainConfig::from_file(args.config, args.tier, args.overrides);
    const at::Device device = train::choose_device(args.device);
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
    ProgressLine progress(common.quiet);
    train::RunHooks hooks;
    hooks.stop = &interrupted;
    int64_t first_step = 0;
    hooks.started = [&](const train::RunHooks::Start& start) {
        first_step = start.first_step;
        if (common.quiet) return;
        std::fprintf(stderr,
                     "%.2f M parameters, %.1f MFLOP a token, products at %.0f GFLOP/s, from step "
                     "%lld of %lld\n",
                     static_cast<double>(start.parameters) / 1e6, start.flops_per_token / 1e6,
                     start.gemm_flops / 1e9, static_cast<long long>(start.first_step),
                     static_cast<long long>(config.train.steps));
    };
    double loss = 0, own = 0, none = 0;
    int64_t done = 0;
    hooks.stepped = [&](const train::StepReport& r, double rate, double share) {
        loss = r.loss;
        done = r.step;
        const double per_step = progress.seconds() / static_cast<double>(r.step - first_step);
        char text[200];
        std::snprintf(
            text, sizeof text,
            "step %lld/%lld loss %.4f aux %.3f lr %.2g norm %.2f %.0f tokens/s, %.0f %% of "
            "products, %s left",
            static_cast<long long>(r.step), static_cast<long long>(config.train.steps), r.loss,
            r.aux, r.lr, r.gradient_norm, rate, 100 * share,
            duration_text(per_step * static_cast<double>(config.train.steps - r.step)).c_str());
        progress.show(text);
    };
    hooks.validated = [&](const train::ValidationReport& report, int64_t step) {
        own = report.own;
        none = report.none;
        if (!common.quiet) {
            std::fprintf(stderr, "%sstep %lld validation: %.4f with neighbours, %.4f without\n",
                         common.json ? "" : "\n", static_cast<long long>(step), own, none);
        }
    };
    const bool finished = train::run_training(config, args.paths, args.resume, device, hooks);
    if (common.json) {
        std::cout << nlohmann::ordered_json{{"finished", finished},
                                            {"step", done},
                                            {"loss", loss},
                                            {"validation", own},
                                            {"validation_none", none},
                                            {"checkpoint",
                                             args.paths.out_dir + "/checkpoint.safetensors"}}
                         .dump()
                  << "\n";
    }
    if (!finished) {
        std::fprintf(stderr, "rpt-lab: stopped at step %lld, saved; go on with --resume\n",
                     static_cast<long long>(done));
        return kInterrupted;
    }
    return kDone;
}

}  // namespace

void add_train_command(CLI::App& app, Common& common) {
    CLI::App* command = app.add_subcommand("train", "Train a model, or go on with a run");
    const auto args = std::make_shared<TrainArguments>();
    command->add_option("config", args->config, "JSON: model, data, validation, train")->required();
    command
        ->add_option("--out", args->paths.out_dir, "Directory of the run: config, log, checkpoint")
        ->required();
    command->add_option("--data-dir", args->paths.data_dir, "Directory that shards are named in")
        ->default_val(".");
    command
        ->add_option("--set", args->overrides, "Override a key, such as lr=1e-3 or model.dim=128")
        ->take_all();
    command->add_option("--start", args->paths.start,
                        "Checkpoint to take the weights from, not its optimiser");
    command->add_option("--tier", args->tier,
                        "JSON whose keys the config changes: sizes and steps that rows share");
    command->add_option("--fresh", args->paths.fresh,
                        "With --start: tensors that begin anew, by name or its beginning");
    command->add_flag("--resume", args->resume,
                      "Go on from the directory's checkpoint, if there is one");
    command->add_option("--device", args->device, "cpu or cuda")->capture_default_str();
    command->footer(
        "Example: rpt-lab train configs/nano.json --data-dir data --out runs/nano --set "
        "steps=2000");
    command->callback(
        [args, &common] { common.action = [args, &common] { return run(*args, common); }; });
}

}  // namespace rpt::lab
