// rpt-lab memory read MODEL: what sessions gain by each way of reading, and what it costs.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/progress_line.h"
#include "base/error.h"
#include "core/weights/model_file.h"
#include "lab/engine/torch_factory.h"
#include "lab/eval/paired_bootstrap.h"
#include "lab/network/bf16_scope.h"
#include "lab/ways/passage_trial.h"
#include "lab/ways/rounded_states.h"
#include "lab/ways/split_model.h"

namespace rpt::lab {
namespace {

struct ReadArguments {
    std::string model;
    std::vector<std::string> test, ways = {"none", "copy", "upper", "upper,copy"};
    ways::PassageRequest passages;
    int64_t split = 0;
    bool bf16 = false, twice = false;
};

// Of one corpus, by way and document.
struct CorpusTrials {
    std::vector<std::vector<double>> nats, seconds, seconds_again;
    std::vector<int64_t> tokens;

    explicit CorpusTrials(size_t ways) : nats(ways), seconds(ways), seconds_again(ways) {}
};

double median(std::vector<double> values) {
    std::ranges::sort(values);
    const size_t n = values.size();
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

// Of each document's time its ratio to that of the first way.
double times(const std::vector<double>& seconds, const std::vector<double>& first) {
    std::vector<double> ratios;
    for (size_t i = 0; i < seconds.size(); ++i) ratios.push_back(seconds[i] / first[i]);
    return median(ratios);
}

void report(const std::string& corpus, int64_t split, const CorpusTrials& trials,
            const ReadArguments& args, const Common& common) {
    double tokens = 0, base = 0;
    for (const int64_t n : trials.tokens) tokens += static_cast<double>(n);
    for (const double nats : trials.nats[0]) base += nats;
    std::vector<double> each;  // seconds a token
    for (size_t i = 0; i < trials.tokens.size(); ++i)
        each.push_back(trials.seconds[0][i] / static_cast<double>(trials.tokens[i]));
    nlohmann::ordered_json row = {{"corpus", corpus},
                                  {"documents", trials.tokens.size()},
                                  {"tokens", tokens},
                                  {"split", split},
                                  {"first", args.ways[0]},
                                  {"nats", base / tokens},
                                  {"milliseconds a token", 1000 * median(each)}};
    if (!common.json)
        std::printf("%s: %zu documents, %.0f tokens, %s %.4f nats and %.2f ms a token\n",
                    corpus.c_str(), trials.tokens.size(), tokens, args.ways[0].c_str(),
                    base / tokens, 1000 * median(each));
    for (size_t way = 1; way < args.ways.size(); ++way) {
        const eval::Difference d =
            eval::paired_bootstrap(trials.nats[way], trials.nats[0], trials.tokens, 10000, 1);
        const double time = times(trials.seconds[way], trials.seconds[0]),
                     again = times(trials.seconds_again[way], trials.seconds[0]);
        nlohmann::ordered_json& told = row[args.ways[way]];
        told = {{"difference", d.mean}, {"low", d.low}, {"high", d.high}, {"time", time}};
        if (again > 0) told["time again"] = again;
        if (common.json) continue;
        std::printf("  %-20s %+.4f [%+.4f, %+.4f]  %.2f times the time", args.ways[way].c_str(),
                    d.mean, d.low, d.high, time);
        if (again > 0) std::printf(", once more %.2f", again);
        std::printf("\n");
    }
    if (common.json) std::cout << row.dump() << std::endl;
    std::fflush(stdout);
}

std::shared_ptr<const engine::Engine> open_model(const ReadArguments& args) {
    if (args.split == 0) return engine::open_torch_engine(args.model);
    return engine::TorchFactory().open(*ways::split_at(weights::open_model(args.model), args.split),
                                       {});
}

int run_read(const ReadArguments& args, const Common& common) {
    if (args.passages.first_token >= args.passages.tokens)
        throw Error(Status::kArgument, "rpt", "--first-token must be below --tokens");
    std::vector<ways::Way> rows;
    for (const std::string& name : args.ways) rows.push_back(ways::parse_way(name));
    ProgressLine progress(common.quiet);
    const std::shared_ptr<const engine::Engine> engine = open_model(args);
    const std::shared_ptr<const engine::Engine> rounded = ways::with_rounded_states(engine);
    const std::vector<ways::Passage> passages =
        ways::read_passages(*engine->tokenizer(), args.passages, args.test);
    const model::Bf16Scope products(at::kCPU, args.bf16);
    CorpusTrials trials(rows.size());
    for (size_t i = 0; i < passages.size(); ++i) {
        ways::PassageTrial trial(engine, rounded, passages[i]);
        uint64_t tokens = 0;
        for (size_t way = 0; way < rows.size(); ++way) {
            progress.show("document " + std::to_string(i + 1) + " of " +
                          std::to_string(passages.size()) + ": " + args.ways[way]);
            const ways::Tried tried = trial.run(rows[way], args.twice);
            RPT_CHECK(way == 0 || tried.tokens == tokens);
            tokens = tried.tokens;
            trials.nats[way].push_back(tried.nats);
            trials.seconds[way].push_back(tried.seconds);
            trials.seconds_again[way].push_back(tried.seconds_again);
        }
        trials.tokens.push_back(static_cast<int64_t>(tokens));
        if (i + 1 < passages.size() && passages[i + 1].corpus == passages[i].corpus) continue;
        report(passages[i].corpus, engine->config().n_lower, trials, args, common);
        trials = CorpusTrials(rows.size());
    }
    return kDone;
}

}  // namespace

void add_memory_read_command(CLI::App& group, Common& common) {
    CLI::App* command = group.add_subcommand(
        "read", "Nats a token of sessions that read their own past in several ways");
    const auto args = std::make_shared<ReadArguments>();
    ways::PassageRequest& passages = args->passages;
    command->add_option("model", args->model, "Model with its memory file beside it")->required();
    command->add_option("--test", args->test, "NAME=FILE: documents, JSON lines")->required();
    command->add_option(
        "--way", args->ways,
        "NAMES[@K][:CHOOSER][:4bit], again for each way. NAMES: none, or cca, copy, "
        "upper, text with commas. K: chunks that are read. CHOOSER: own, bm25, "
        "oracle, random or nothing. 4bit: states as a store keeps them. The others "
        "are compared with the first");
    command->add_option("--documents", passages.documents, "Of each corpus")
        ->check(CLI::Range(1, 100000));
    command->add_option("--tokens", passages.tokens, "Of each document")
        ->check(CLI::Range(64, 1 << 20));
    command->add_option("--first-token", passages.first_token, "Tokens count from there on")
        ->check(CLI::Range(1, 1 << 20));
    command->add_option("--every", passages.piece, "Tokens that the way text scores at once")
        ->check(CLI::Range(1, 1 << 16));
    command->add_option("--split", args->split, "Layers of the lower half (0: the model's)")
        ->check(CLI::Range(0, 1024));
    command->add_flag("--twice", args->twice,
                      "Score once more: what it costs when chunks were read before");
    command->add_flag("--bf16", args->bf16, "Matrix products in bf16");
    command->footer(
        "Example: rpt-lab memory read SmolLM2-135M.gguf --test books=test.jsonl.zst --way none "
        "--way copy --way upper,copy@4:bm25 --bf16");
    command->callback(
        [args, &common] { common.action = [args, &common] { return run_read(*args, common); }; });
}

}  // namespace rpt::lab
