#include <cstdio>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/progress_line.h"
#include "lab/engine/torch_factory.h"
#include "lab/train/devices.h"
#include "lab/train/encoder_pairs.h"
#include "lab/train/schedules.h"
#include "lab/train/training_data.h"

namespace rpt::lab {
namespace {

constexpr int64_t kPairsAPiece = 32;

struct DprArguments {
    std::string config, tier, data_dir, out;
    std::vector<std::string> overrides;
    train::DualEncoderShape shape;
    int64_t steps = 500, batch = 128;
    double lr = 1e-3;
    uint64_t seed = 1;
    int threads = 0;
    std::string device = "cpu";
};

int run(const DprArguments& args, const Common& common) {
    if (args.threads > 0) engine::set_torch_threads(args.threads);
    const at::Device device = train::choose_device(args.device);
    const auto config = train::TrainConfig::from_file(args.config, args.tier, args.overrides);
    const train::TrainingData data = train::open_training_data(config, args.data_dir);
    train::SampleSource source = train::training_source(config, data);

    train::DualEncoderShape shape = args.shape;
    shape.vocab = config.model.vocab;
    shape.chunk = config.model.chunk;
    const train::DualEncoder encoder(shape, args.seed, device);
    train::TrainOptions options;
    options.weight_decay = 0.01;
    train::AdamW optimizer(encoder.parameters(), options);

    ProgressLine progress(common.quiet);
    uint64_t piece = 0;
    double loss = 0, accuracy = 0;  // running means over about 20 steps
    for (int64_t step = 1; step <= args.steps; ++step) {
        const auto pairs = train::draw_pairs(config.model, data.vocabulary, source, args.batch,
                                             kPairsAPiece, args.seed, piece);
        const double lr =
            train::learning_rate(step, args.lr, 0.1 * args.lr, args.steps / 20, args.steps);
        const auto report = train::encoder_step(encoder, optimizer, pairs, lr, device);
        const double share = step == 1 ? 1.0 : 0.05;
        loss += share * (report.loss - loss);
        accuracy += share * (report.accuracy - accuracy);
        char text[160];
        std::snprintf(text, sizeof text, "step %lld/%lld loss %.4f, %.1f %% right in the batch",
                      static_cast<long long>(step), static_cast<long long>(args.steps), loss,
                      100 * accuracy);
        progress.show(text);
    }
    encoder.save(args.out, data.vocabulary.tokenizer);
    if (common.json) {
        std::cout << nlohmann::ordered_json{{"steps", args.steps},
                                            {"loss", loss},
                                            {"accuracy", accuracy},
                                            {"seconds", progress.seconds()},
                                            {"out", args.out}}
                         .dump()
                  << "\n";
    }
    return kDone;
}

}  // namespace

void add_dpr_command(CLI::App& app, Common& common) {
    CLI::App* command = app.add_subcommand(
        "dpr", "Train a retriever of two encoders apart from any reader, for rpt-lab eval --dpr");
    const auto args = std::make_shared<DprArguments>();
    command
        ->add_option("config", args->config,
                     "Configuration of rpt-lab train: names data, chunk and pool")
        ->required();
    command->add_option("--out", args->out, "File of the encoders")->required();
    command->add_option("--data-dir", args->data_dir, "Directory that shards are named in")
        ->default_val(".");
    command->add_option("--tier", args->tier, "JSON whose keys the config changes");
    command->add_option("--set", args->overrides, "Override a key of the config")->take_all();
    command->add_option("--steps", args->steps, "Updates")
        ->capture_default_str()
        ->check(CLI::Range(1, 10000000));
    command->add_option("--batch", args->batch, "Pairs an update; each is a negative of the others")
        ->capture_default_str()
        ->check(CLI::Range(2, 65536));
    command->add_option("--lr", args->lr, "Peak learning rate")->capture_default_str();
    command->add_option("--dim", args->shape.dim, "Width of both encoders")->capture_default_str();
    command->add_option("--layers", args->shape.layers, "Layers of each encoder")
        ->capture_default_str();
    command->add_option("--heads", args->shape.heads, "Heads of each layer")->capture_default_str();
    command->add_option("--seed", args->seed, "Seed of weights and draws")->capture_default_str();
    command->add_option("--threads", args->threads, "0: as many as the machine has cores");
    command->add_option("--device", args->device, "cpu or cuda")->capture_default_str();
    command->footer(
        "Example: rpt-lab dpr configs/nano.json --data-dir data --steps 2000 --out "
        "dpr.safetensors");
    command->callback(
        [args, &common] { common.action = [args, &common] { return run(*args, common); }; });
}

}  // namespace rpt::lab
