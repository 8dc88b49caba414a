// rpt-lab memory row MODEL: a pointer beside a model that was trained here, fitted by what helps it
// to predict; `rpt-lab eval --pointer` measures it.
#include <cstdio>
#include <iostream>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/progress_line.h"
#include "base/error.h"
#include "lab/engine/torch_factory.h"
#include "lab/memory/copy_fit.h"
#include "lab/memory/row_pointer.h"
#include "lab/train/checkpoint.h"

namespace rpt::lab {
namespace {

using memory::DocumentCache;

// Of each span, for mean and principal directions.
constexpr int64_t kDirectionTokens = 1024;

struct RowArguments {
    std::string model, out;
    std::vector<std::string> train, validation;  // shards
    int64_t spans = 16, validation_spans = 6, tokens = 16384;
    int64_t layer = 0, width = 128;
    int threads = 0;
    memory::FitOptions fit;
};

std::vector<DocumentCache> read_shards(const std::vector<std::string>& paths, int64_t spans,
                                       const RowArguments& args, const train::TrainedModel& subject,
                                       ProgressLine& progress) {
    std::vector<DocumentCache> out;
    size_t read = 0;
    for (const std::string& path : paths) {
        const auto shard = train::Shard::open(path);
        if (shard->vocabulary().tokenizer != subject.tokenizer)
            throw Error(Status::kModelMismatch, "rpt",
                        "shard \"" + path + "\" was made with another tokenizer than the model's");
        auto those =
            memory::read_spans(*subject.model, *shard, spans, args.tokens, args.layer, [&] {
                progress.show(std::to_string(++read) + " spans of " + std::to_string(args.tokens) +
                              " tokens read, " + path);
            });
        if (those.empty())
            throw Error(Status::kArgument, "rpt",
                        "shard \"" + path + "\": no document has " + std::to_string(args.tokens) +
                            " tokens; give --tokens a smaller number");
        std::move(those.begin(), those.end(), std::back_inserter(out));
    }
    return out;
}

void tell(const memory::FitStep& step, const Common& common) {
    if (common.json) {
        nlohmann::ordered_json line = {{"step", step.step}, {"gain", step.gain}};
        for (const memory::CorpusLoss& loss : step.corpora)
            line["corpora"][loss.corpus] = {
                {"tokens", loss.tokens}, {"without", loss.without}, {"with", loss.with}};
        std::cout << line.dump() << std::endl;
        return;
    }
    std::printf("step %4lld  gain %.4f nats a token ", static_cast<long long>(step.step),
                step.gain);
    for (const memory::CorpusLoss& loss : step.corpora)
        std::printf(" %s %.4f -> %.4f (%+.4f)", loss.corpus.c_str(), loss.without, loss.with,
                    loss.with - loss.without);
    std::printf("\n");
    std::fflush(stdout);
}

int run(RowArguments& args, const Common& common) {
    if (args.threads > 0) engine::set_torch_threads(args.threads);
    ProgressLine progress(common.quiet);
    const train::TrainedModel subject = train::load_trained_model(args.model, at::kCPU);
    const model::ModelConfig& config = subject.model->config();
    if (args.layer == 0) args.layer = config.layers();
    if (args.layer < config.n_lower || args.layer > config.layers())
        throw Error(Status::kArgument, "rpt",
                    "--layer " + std::to_string(args.layer) +
                        ": the model's upper half is layers " + std::to_string(config.n_lower) +
                        " to " + std::to_string(config.layers()));
    if (args.width > config.dim)
        throw Error(Status::kArgument, "rpt",
                    "--width " + std::to_string(args.width) + ": a state of the model has " +
                        std::to_string(config.dim) + " numbers");
    if (args.tokens % config.stride != 0)
        throw Error(Status::kArgument, "rpt",
                    "--tokens must be a multiple of the model's stride of " +
                        std::to_string(config.stride));
    const auto train = read_shards(args.train, args.spans, args, subject, progress);
    const auto validation =
        read_shards(args.validation, args.validation_spans, args, subject, progress);
    memory::CopyParameters p = memory::untrained(train, args.width, kDirectionTokens);
    args.fit.first_token = 2 * config.stride;
    const memory::FitStep best = memory::fit_copy(
        p, train, validation, args.fit, [&](const memory::FitStep& step) { tell(step, common); });
    memory::save_pointer({p, args.layer, to_hex(subject.fingerprint)},
                         std::to_string(train.size()) + " spans of " + std::to_string(args.tokens) +
                             " tokens, step " + std::to_string(best.step),
                         args.out);
    if (!common.json)
        std::printf("%s: step %lld, gain %.4f nats a token\n", args.out.c_str(),
                    static_cast<long long>(best.step), best.gain);
    return kDone;
}

}  // namespace

void add_memory_row_command(CLI::App& group, Common& common) {
    CLI::App* command = group.add_subcommand(
        "row", "Fit a pointer to a model that was trained here, for rpt-lab eval --pointer");
    const auto args = std::make_shared<RowArguments>();
    command->add_option("model", args->model, "Checkpoint or model package")->required();
    command->add_option("--train", args->train, "Shards to fit on")->required();
    command->add_option("--validation", args->validation, "Shards to choose by")->required();
    command->add_option("--out", args->out, "File to write: NAME.pointer.safetensors")->required();
    command->add_option("--spans", args->spans, "Of each training shard, evenly over it")
        ->capture_default_str()
        ->check(CLI::Range(1, 100000));
    command->add_option("--validation-spans", args->validation_spans, "Of each validation shard")
        ->capture_default_str()
        ->check(CLI::Range(1, 100000));
    command->add_option("--tokens", args->tokens, "Of each span; a multiple of the stride")
        ->capture_default_str()
        ->check(CLI::Range(256, 1 << 18));
    command->add_option("--layer", args->layer,
                        "Pointers are made of the state after so many layers (0: all)");
    command->add_option("--width", args->width, "Numbers of a pointer")
        ->capture_default_str()
        ->check(CLI::Range(8, 1024));
    command->add_option("--steps", args->fit.steps, "Updates")
        ->capture_default_str()
        ->check(CLI::Range(0, 1000000));
    command->add_option("--blocks", args->fit.blocks, "Blocks of queries an update")
        ->capture_default_str()
        ->check(CLI::Range(1, 1024));
    command->add_option("--every", args->fit.every, "Updates between looks at validation")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000000));
    command->add_option("--map-rate", args->fit.map_rate, "Learning rate of the pointer map")
        ->capture_default_str();
    command->add_option("--gate-rate", args->fit.gate_rate, "Learning rate of the gate")
        ->capture_default_str();
    command->add_option("--seed", args->fit.seed, "Of the order of blocks");
    command->add_option("--threads", args->threads, "0: as many as the machine has cores");
    command->footer(
        "Example: rpt-lab memory row runs/retro.1/checkpoint.safetensors --train math.train.shard "
        "--validation math.validation.shard --out retro.pointer.safetensors");
    command->callback(
        [args, &common] { common.action = [args, &common] { return run(*args, common); }; });
}

}  // namespace rpt::lab
