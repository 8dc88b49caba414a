// rpt-lab memory fit MODEL: a memory for a frozen model, fitted by what helps it to predict.
// rpt-lab memory eval MODEL: what it is worth.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/memory_documents.h"
#include "base/error.h"
#include "core/weights/model_file.h"
#include "core/weights/package_config.h"
#include "lab/eval/paired_bootstrap.h"
#include "lab/memory/copy_fit.h"
#include "lab/memory/memory_file.h"
#include "lab/memory/memory_trial.h"
#include "lab/network/bf16_scope.h"

namespace rpt::lab {
namespace {

using memory::DocumentCache;

// Of each document, for mean and principal directions.
constexpr int64_t kDirectionTokens = 1024;

struct MemoryArguments {
    std::string model, out, start;
    std::vector<std::string> train, validation;  // CORPUS=FILE
    std::vector<std::string> test;
    DocumentRequest documents;
    std::vector<int64_t> windows = {512};
    int64_t wide = 0, width = 128;
    memory::FitOptions fit;
    memory::TrialOptions trial;
};

nlohmann::ordered_json corpora_json(const std::vector<memory::CorpusLoss>& corpora) {
    nlohmann::ordered_json out;
    for (const memory::CorpusLoss& loss : corpora)
        out.push_back({{"corpus", loss.corpus},
                       {"window", loss.window},
                       {"tokens", loss.tokens},
                       {"without", loss.without},
                       {"with", loss.with}});
    return out;
}

void print_corpora(const std::vector<memory::CorpusLoss>& corpora) {
    for (const memory::CorpusLoss& loss : corpora)
        std::printf(" %s %lld: %.4f -> %.4f (%+.4f)", loss.corpus.c_str(),
                    static_cast<long long>(loss.window), loss.without, loss.with,
                    loss.with - loss.without);
    std::printf("\n");
    std::fflush(stdout);
}

void tell(const memory::FitStep& step, const Common& common) {
    if (common.json) {
        std::cout << nlohmann::ordered_json{{"step", step.step},
                                            {"gain", step.gain},
                                            {"corpora", corpora_json(step.corpora)}}
                         .dump()
                  << std::endl;
        return;
    }
    std::printf("step %4lld  gain %.4f nats a token ", static_cast<long long>(step.step),
                step.gain);
    print_corpora(step.corpora);
}

void tell_spaces(const char* what, const std::vector<memory::CorpusLoss>& corpora,
                 const Common& common) {
    if (common.json) {
        std::cout
            << nlohmann::ordered_json{{"space", what}, {"corpora", corpora_json(corpora)}}.dump()
            << std::endl;
        return;
    }
    std::printf("%s: ", what);
    print_corpora(corpora);
}

void check_precision(const DocumentRequest& request) {
    if (request.keep.bf16 && !model::has_bf16_products())
        throw Error(Status::kUnsupported, "rpt",
                    "--bf16 needs a processor with AVX512-BF16; leave it out");
}

memory::CopyParameters started(const std::string& path) {
    memory::CopyParameters p = memory::read_memory(*weights::Package::open(path), false);
    memory::make_trainable(p);
    return p;
}

int run_fit(MemoryArguments& args, const Common& common) {
    ProgressLine progress(common.quiet);
    check_precision(args.documents);
    std::vector<FrozenModel> models;
    models.push_back(load_frozen(args.model, args.windows.front()));
    for (size_t i = 1; i < args.windows.size(); ++i)
        models.push_back(with_window(models.front(), args.windows[i]));
    const model::ModelConfig& config = models.front().network->config();
    int64_t& layer = args.documents.keep.layer;
    if (layer == 0) layer = config.layers() - 2;
    if (layer < 1 || layer > config.layers())
        throw Error(Status::kArgument, "rpt",
                    "--layer " + std::to_string(layer) + ": the model has " +
                        std::to_string(config.layers()) + " layers");
    const std::vector<DocumentCache> train =
        cached_documents(models, args.documents, args.train, progress);
    std::vector<DocumentCache> validation;
    for (const FrozenModel& model : models)
        std::ranges::move(cached_documents({&model, 1}, args.documents, args.validation, progress),
                          std::back_inserter(validation));
    memory::CopyParameters p = args.start.empty()
                                   ? memory::untrained(train, args.width, kDirectionTokens)
                                   : started(args.start);
    const memory::FitStep best = memory::fit_copy(
        p, train, validation, args.fit, [&](const memory::FitStep& step) { tell(step, common); });
    const memory::CopyParameters spaces = memory::fit_space_gate(p, train, args.fit);
    tell_spaces("its own past in a space", memory::losses(spaces, validation, args.fit.first_token),
                common);
    tell_spaces("another document in a space",
                memory::losses_beside_others(spaces, validation, args.fit.first_token), common);
    at::Tensor square = at::zeros_like(train.front().low_square);
    for (const DocumentCache& document : train)
        square += document.low_square / static_cast<double>(train.size());
    memory::MemoryFacts facts;
    facts.weights = models.front().package->fingerprint();
    facts.pointer_layer = layer;
    facts.made_from = std::to_string(train.size()) + " documents of " +
                      std::to_string(args.documents.tokens) + " tokens, step " +
                      std::to_string(best.step);
    memory::write_memory(p, spaces, square.sqrt(), config, facts, args.out);
    if (!common.json)
        std::printf("%s: step %lld, gain %.4f nats a token\n", args.out.c_str(),
                    static_cast<long long>(best.step), best.gain);
    return kDone;
}

// Means over documents with 95 % intervals, against no memory.
void report(const std::vector<memory::DocumentTrial>& trials, const Common& common) {
    std::map<std::string, std::vector<const memory::DocumentTrial*>> by_corpus;
    for (const memory::DocumentTrial& trial : trials) by_corpus[trial.corpus].push_back(&trial);
    nlohmann::ordered_json all;
    for (const auto& [corpus, documents] : by_corpus) {
        std::vector<double> base;
        std::vector<int64_t> tokens;
        double nats = 0, count = 0;
        for (const memory::DocumentTrial* trial : documents) {
            base.push_back(trial->of(memory::Way::kNone));
            tokens.push_back(trial->tokens);
            nats += base.back();
            count += static_cast<double>(trial->tokens);
        }
        nlohmann::ordered_json row = {{"corpus", corpus},
                                      {"documents", documents.size()},
                                      {"tokens", count},
                                      {name_of(memory::Way::kNone), nats / count}};
        if (!common.json)
            std::printf("%s: %zu documents, %.0f tokens, no memory %.4f nats a token\n",
                        corpus.c_str(), documents.size(), count, nats / count);
        const auto tell_way = [&](const std::string& name, const std::vector<double>& nats_of) {
            const eval::Difference d = eval::paired_bootstrap(nats_of, base, tokens, 10000, 1);
            row[name] = {{"difference", d.mean}, {"low", d.low}, {"high", d.high}};
            if (!common.json)
                std::printf("  %-32s %+.4f [%+.4f, %+.4f]\n", name.c_str(), d.mean, d.low, d.high);
        };
        for (const auto& [way, of_first] : documents.front()->nats) {
            if (way == memory::Way::kNone) continue;
            std::vector<double> those;
            for (const memory::DocumentTrial* trial : documents) those.push_back(trial->of(way));
            tell_way(name_of(way), those);
        }
        for (size_t i = 0; i < documents.front()->reaches.size(); ++i) {
            std::vector<double> those;
            for (const memory::DocumentTrial* trial : documents)
                those.push_back(trial->reaches[i].second);
            tell_way(
                "own past, " + std::to_string(documents.front()->reaches[i].first) + " tokens back",
                those);
        }
        all.push_back(std::move(row));
    }
    if (common.json) std::cout << all.dump() << "\n";
}

int run_eval(MemoryArguments& args, const Common& common) {
    ProgressLine progress(common.quiet);
    check_precision(args.documents);
    const auto with_memory = weights::open_model(args.model);
    const memory::CopyParameters own = memory::read_memory(*with_memory, false);
    const memory::CopyParameters spaces = memory::read_memory(*with_memory, true);
    args.documents.keep.layer = weights::config_of(*with_memory).pointer_layer;
    // predictions that are not looked at need not be made
    if (!args.trial.reaches.empty()) args.documents.keep.first_scored = args.trial.first_token;
    FrozenModel model = load_frozen(args.model, args.windows.front());
    const std::vector<DocumentCache> documents =
        cached_documents({&model, 1}, args.documents, args.test, progress);
    std::vector<DocumentCache> wide;
    if (args.wide > 0) {
        model = with_window(model, args.wide);
        wide = cached_documents({&model, 1}, args.documents, args.test, progress);
    }
    report(memory::try_memory(own, spaces, documents, wide, args.trial), common);
    return kDone;
}

void add_documents(CLI::App& command, DocumentRequest& request) {
    command
        .add_option("--cache", request.cache, "Folder that keeps what the model made of documents")
        ->required();
    command.add_option("--documents", request.documents, "Of each corpus")
        ->check(CLI::Range(1, 100000));
    command.add_option("--tokens", request.tokens, "Of each document")
        ->check(CLI::Range(1024, 1 << 20));
    command.add_flag("--bf16", request.keep.bf16,
                     "Matrix products in bf16: faster where the processor has AMX");
}

}  // namespace

void add_memory_command(CLI::App& app, Common& common) {
    CLI::App* group = app.add_subcommand("memory", "Give a frozen model a memory");
    group->require_subcommand(1);
    CLI::App* command = group->add_subcommand(
        "fit", "Fit pointer map and gate to a model, and write them as a memory file");
    const auto args = std::make_shared<MemoryArguments>();
    command->add_option("model", args->model, "GGUF file, package or folder of safetensors")
        ->required();
    command->add_option("--train", args->train, "NAME=FILE: documents to fit on, JSON lines")
        ->required();
    command->add_option("--validation", args->validation, "NAME=FILE: documents to choose by")
        ->required();
    command->add_option("--out", args->out, "Memory file to write: NAME.memory.safetensors")
        ->required();
    add_documents(*command, args->documents);
    command
        ->add_option("--window", args->windows,
                     "Tokens that the model attends to. Several: each reads a part of the training "
                     "documents and all of validation; sessions take the first")
        ->check(CLI::Range(128, 1 << 16));
    command->add_option("--layer", args->documents.keep.layer,
                        "Pointers are made of the state after so many layers (0: all but two)");
    command->add_option("--width", args->width, "Numbers of a pointer")->check(CLI::Range(8, 1024));
    command->add_option("--steps", args->fit.steps, "Updates")->check(CLI::Range(0, 1000000));
    command->add_option("--first-token", args->fit.first_token, "Queries begin there");
    command->add_option("--map-rate", args->fit.map_rate, "Learning rate of the pointer map");
    command->add_option("--gate-rate", args->fit.gate_rate, "Learning rate of the gate");
    command->add_option("--blocks", args->fit.blocks, "Blocks of queries an update")
        ->check(CLI::Range(1, 1024));
    command->add_option("--every", args->fit.every, "Updates between looks at validation")
        ->check(CLI::Range(1, 1000000));
    command->add_option("--space-steps", args->fit.space_steps, "Updates of the gate of spaces")
        ->check(CLI::Range(0, 1000000));
    command
        ->add_option("--foreign", args->fit.foreign,
                     "Share of the blocks of that gate that see another document")
        ->check(CLI::Range(0.0, 1.0));
    command->add_option("--start", args->start,
                        "Memory file to go on from, in place of principal directions");
    command->add_option("--seed", args->fit.seed, "Of the order of blocks");
    command->footer(
        "Example: rpt-lab memory fit SmolLM2-135M.gguf --train books=train.jsonl.zst --validation "
        "books=validation.jsonl.zst --cache cache --out SmolLM2-135M.memory.safetensors");
    command->callback(
        [args, &common] { common.action = [args, &common] { return run_fit(*args, common); }; });

    CLI::App* eval = group->add_subcommand(
        "eval", "Nats a token with and without the memory, with intervals over documents");
    const auto trial = std::make_shared<MemoryArguments>();
    trial->documents.documents = 8;
    eval->add_option("model", trial->model, "Model with its memory file beside it")->required();
    eval->add_option("--test", trial->test, "NAME=FILE: documents, JSON lines")->required();
    add_documents(*eval, trial->documents);
    eval->add_option("--window", trial->windows, "Tokens that the model attends to")
        ->expected(1)
        ->check(CLI::Range(128, 1 << 16));
    eval->add_option("--longer-window", trial->wide, "Also without a memory and with this window");
    eval->add_option("--first-token", trial->trial.first_token, "Tokens count from there on");
    eval->add_flag("--halves", trial->trial.halves,
                   "Second halves of documents with the first ones in a space");
    eval->add_option("--reach", trial->trial.reaches,
                     "Only the own past, of which the last so many tokens are read behind the "
                     "window; several are compared")
        ->check(CLI::Range(1, 1 << 20))
        ->excludes("--halves", "--longer-window");
    eval->footer(
        "Example: rpt-lab memory eval SmolLM2-135M.gguf --test books=test.jsonl.zst --cache cache "
        "--longer-window 2048");
    eval->callback([trial, &common] {
        common.action = [trial, &common] { return run_eval(*trial, common); };
    });
    add_memory_row_command(*group, common);
    add_memory_read_command(*group, common);
}

}  // namespace rpt::lab
