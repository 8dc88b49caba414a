// rpt-lab memory fit MODEL: a memory for a frozen model, fitted by what helps it to predict.
// rpt-lab memory eval MODEL: what it is worth.
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/progress_line.h"
#include "base/error.h"
#include "core/text/tokenizer.h"
#include "core/weights/model_file.h"
#include "lab/eval/paired_bootstrap.h"
#include "lab/memory/copy_fit.h"
#include "lab/memory/memory_file.h"
#include "lab/memory/memory_trial.h"
#include "lab/network/model_weights.h"
#include "lab/network/rpt_model.h"
#include "lab/train/json_lines.h"

namespace rpt::lab {
namespace {

using memory::DocumentCache;

struct MemoryArguments {
    std::string model, out, cache;
    std::vector<std::string> train, validation;  // CORPUS=FILE
    std::vector<std::string> test;
    int64_t wide = 0;
    int64_t documents = 4, tokens = 12288, window = 512, layer = 0, width = 128;
    memory::FitOptions fit;
};

struct LoadedModel {
    std::shared_ptr<const weights::Package> package;
    std::unique_ptr<model::RptModel> network;
    std::shared_ptr<const text::Tokenizer> tokenizer;
};

LoadedModel load(const MemoryArguments& args, int64_t window) {
    LoadedModel out;
    out.package = weights::open_model_alone(args.model);
    const auto whole = model::load_model(*out.package, at::kCPU);
    model::ModelConfig config = whole->config();
    config.stride = window / 2;
    config.validate();
    out.network = std::make_unique<model::RptModel>(config, whole->weights(), at::kCPU);
    out.tokenizer =
        text::Tokenizer::from_json(out.package->tokenizer_json(), out.package->roles_json());
    return out;
}

// The first `tokens` tokens of each of the first documents that are long enough.
std::vector<DocumentCache> documents_of(const LoadedModel& model, const MemoryArguments& args,
                                        const std::vector<std::string>& inputs,
                                        ProgressLine& progress) {
    const int64_t window = 2 * model.network->config().stride;
    std::vector<DocumentCache> out;
    const std::string made_by =
        to_hex(model.package->fingerprint()) + " layer " + std::to_string(args.layer) + " window " +
        std::to_string(args.window) + " tokens " + std::to_string(args.tokens);
    for (const std::string& input : inputs) {
        const size_t cut = input.find('=');
        if (cut == std::string::npos || cut == 0)
            throw Error(Status::kArgument, "rpt",
                        "corpus \"" + input + "\": write NAME=FILE, such as books=train.jsonl.zst");
        const std::string corpus = input.substr(0, cut), path = input.substr(cut + 1);
        const auto lines = train::LineReader::open(path);
        std::string line;
        int64_t taken = 0, number = 0;
        while (taken < args.documents && lines->next(line)) {
            train::CorpusDocument document =
                train::parse_document(line, path + ":" + std::to_string(++number));
            if (document.text.size() < static_cast<size_t>(args.tokens) * 2) continue;
            const std::string file =
                args.cache + "/" + corpus + "-" + std::filesystem::path(path).filename().string() +
                "-" + std::to_string(window) + "-" + std::to_string(number) + ".safetensors";
            DocumentCache cache;
            if (!memory::load_cache(file, made_by, cache)) {
                // eight bytes a token are more than enough of them
                std::string text = document.text.substr(0, static_cast<size_t>(args.tokens) * 8);
                while (!text.empty() && (static_cast<uint8_t>(text.back()) & 0xC0) == 0x80)
                    text.pop_back();
                if (!text.empty() && static_cast<uint8_t>(text.back()) >= 0xC0) text.pop_back();
                std::vector<int32_t> ids = {model.tokenizer->bos()};
                for (const text::Token& token : model.tokenizer->encode(text)) {
                    if (static_cast<int64_t>(ids.size()) > args.tokens) break;
                    ids.push_back(token.id);
                }
                if (static_cast<int64_t>(ids.size()) <= args.tokens) continue;
                cache =
                    memory::cache_document(*model.network, args.layer, ids, corpus, document.id);
                memory::save_cache(cache, made_by, file);
            }
            out.push_back(std::move(cache));
            ++taken;
            progress.show(corpus + ": " + std::to_string(taken) + " of " +
                          std::to_string(args.documents) + " documents");
        }
        if (taken == 0)
            throw Error(Status::kArgument, "rpt",
                        "corpus \"" + path + "\": no document has " + std::to_string(args.tokens) +
                            " tokens; give --tokens a smaller number");
    }
    return out;
}

nlohmann::ordered_json corpora_json(const std::vector<memory::CorpusLoss>& corpora) {
    nlohmann::ordered_json out;
    for (const memory::CorpusLoss& loss : corpora)
        out[loss.corpus] = {
            {"tokens", loss.tokens}, {"without", loss.without}, {"with", loss.with}};
    return out;
}

void print_corpora(const std::vector<memory::CorpusLoss>& corpora) {
    for (const memory::CorpusLoss& loss : corpora)
        std::printf(" %s %.4f -> %.4f (%+.4f)", loss.corpus.c_str(), loss.without, loss.with,
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

int run_fit(MemoryArguments& args, const Common& common) {
    ProgressLine progress(common.quiet);
    std::filesystem::create_directories(args.cache);
    LoadedModel model = load(args, args.window);
    const int64_t layers = model.network->config().layers();
    if (args.layer == 0) args.layer = layers - 2;
    if (args.layer < 1 || args.layer > layers)
        throw Error(Status::kArgument, "rpt",
                    "--layer " + std::to_string(args.layer) + ": the model has " +
                        std::to_string(layers) + " layers");
    const std::vector<DocumentCache> train = documents_of(model, args, args.train, progress);
    const std::vector<DocumentCache> validation =
        documents_of(model, args, args.validation, progress);
    memory::CopyParameters p = memory::untrained(train, args.width, 4096);
    const memory::FitStep best =
        memory::fit_copy(p, train, validation, model.network->config().stride, args.fit,
                         [&](const memory::FitStep& step) { tell(step, common); });
    memory::FitOptions spaces_fit = args.fit;
    spaces_fit.steps = std::min<int64_t>(args.fit.steps, 200);
    const int64_t stride = model.network->config().stride;
    const memory::CopyParameters spaces = memory::fit_space_gate(p, train, stride, spaces_fit);
    tell_spaces("its own past in a space",
                memory::losses(spaces, validation, stride, args.fit.first_token), common);
    tell_spaces("another document in a space",
                memory::losses_beside_others(spaces, validation, stride, args.fit.first_token),
                common);
    at::Tensor square = at::zeros_like(train.front().low_square);
    for (const DocumentCache& document : train)
        square += document.low_square / static_cast<double>(train.size());
    memory::MemoryFacts facts;
    facts.weights = model.package->fingerprint();
    facts.pointer_layer = args.layer;
    facts.made_from = std::to_string(train.size()) + " documents of " +
                      std::to_string(args.tokens) + " tokens, step " + std::to_string(best.step);
    memory::write_memory(p, spaces, square.sqrt(), model.network->config(), facts, args.out);
    if (!common.json)
        std::printf("%s: step %lld, gain %.4f nats a token\n", args.out.c_str(),
                    static_cast<long long>(best.step), best.gain);
    return kDone;
}

// Means over documents with 95 % intervals, against no memory.
struct TrialRow {
    const char* name;
    double memory::DocumentTrial::*nats;
};
constexpr TrialRow kRows[] = {{"own past", &memory::DocumentTrial::own},
                              {"own past, followers mixed up", &memory::DocumentTrial::random},
                              {"a space with another document", &memory::DocumentTrial::other},
                              {"no memory, longer window", &memory::DocumentTrial::wide}};

void report(const std::vector<memory::DocumentTrial>& trials, bool with_wide,
            const Common& common) {
    std::map<std::string, std::vector<const memory::DocumentTrial*>> by_corpus;
    for (const memory::DocumentTrial& trial : trials) by_corpus[trial.corpus].push_back(&trial);
    nlohmann::ordered_json all;
    for (const auto& [corpus, documents] : by_corpus) {
        std::vector<double> base;
        std::vector<int64_t> tokens;
        double nats = 0, count = 0;
        for (const memory::DocumentTrial* trial : documents) {
            base.push_back(trial->without);
            tokens.push_back(trial->tokens);
            nats += trial->without;
            count += static_cast<double>(trial->tokens);
        }
        nlohmann::ordered_json row = {{"corpus", corpus},
                                      {"documents", documents.size()},
                                      {"tokens", count},
                                      {"no memory", nats / count}};
        if (!common.json)
            std::printf("%s: %zu documents, %.0f tokens, no memory %.4f nats a token\n",
                        corpus.c_str(), documents.size(), count, nats / count);
        for (const TrialRow& way : kRows) {
            if (way.nats == &memory::DocumentTrial::wide && !with_wide) continue;
            if (way.nats == &memory::DocumentTrial::other && trials.size() < 2) continue;
            std::vector<double> those;
            for (const memory::DocumentTrial* trial : documents) those.push_back(trial->*way.nats);
            const eval::Difference d = eval::paired_bootstrap(those, base, tokens, 10000, 1);
            row[way.name] = {{"difference", d.mean}, {"low", d.low}, {"high", d.high}};
            if (!common.json)
                std::printf("  %-32s %+.4f [%+.4f, %+.4f]\n", way.name, d.mean, d.low, d.high);
        }
        all.push_back(std::move(row));
    }
    if (common.json) std::cout << all.dump() << "\n";
}

int run_eval(MemoryArguments& args, const Common& common) {
    ProgressLine progress(common.quiet);
    std::filesystem::create_directories(args.cache);
    LoadedModel model = load(args, args.window);
    args.layer = model.network->config().pointer_layer;
    const memory::CopyParameters own = memory::read_memory(*model.package, false);
    const memory::CopyParameters spaces = memory::read_memory(*model.package, true);
    const int64_t stride = model.network->config().stride;
    const std::vector<DocumentCache> documents = documents_of(model, args, args.test, progress);
    std::vector<DocumentCache> wide;
    if (args.wide > 0) {
        model = load(args, args.wide);
        wide = documents_of(model, args, args.test, progress);
    }
    report(memory::try_memory(own, spaces, documents, wide, stride, args.fit.first_token),
           !wide.empty(), common);
    return kDone;
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
    command
        ->add_option("--cache", args->cache, "Folder that keeps what the model made of documents")
        ->required();
    command->add_option("--out", args->out, "Memory file to write: NAME.memory.safetensors")
        ->required();
    command->add_option("--documents", args->documents, "Of each corpus")
        ->check(CLI::Range(1, 100000));
    command->add_option("--tokens", args->tokens, "Of each document")
        ->check(CLI::Range(1024, 1 << 20));
    command->add_option("--window", args->window, "Tokens that the model attends to")
        ->check(CLI::Range(128, 1 << 16));
    command->add_option("--layer", args->layer,
                        "Pointers are made of the state after so many layers (0: all but two)");
    command->add_option("--width", args->width, "Numbers of a pointer")->check(CLI::Range(8, 1024));
    command->add_option("--steps", args->fit.steps, "Updates")->check(CLI::Range(0, 1000000));
    command->add_option("--first-token", args->fit.first_token, "Queries begin there");
    command->add_option("--map-rate", args->fit.map_rate, "Learning rate of the pointer map");
    command->add_option("--gate-rate", args->fit.gate_rate, "Learning rate of the gate");
    command->add_option("--seed", args->fit.seed, "Of the order of blocks");
    command->footer(
        "Example: rpt-lab memory fit SmolLM2-135M.gguf --train books=train.jsonl.zst --validation "
        "books=validation.jsonl.zst --cache cache --out SmolLM2-135M.memory.safetensors");
    command->callback(
        [args, &common] { common.action = [args, &common] { return run_fit(*args, common); }; });

    CLI::App* eval = group->add_subcommand(
        "eval", "Nats a token with and without the memory, with intervals over documents");
    const auto trial = std::make_shared<MemoryArguments>();
    trial->documents = 8;
    trial->fit.first_token = 4096;
    eval->add_option("model", trial->model, "Model with its memory file beside it")->required();
    eval->add_option("--test", trial->test, "NAME=FILE: documents, JSON lines")->required();
    eval->add_option("--cache", trial->cache, "Folder that keeps what the model made of documents")
        ->required();
    eval->add_option("--documents", trial->documents, "Of each corpus")
        ->check(CLI::Range(1, 100000));
    eval->add_option("--tokens", trial->tokens, "Of each document")
        ->check(CLI::Range(1024, 1 << 20));
    eval->add_option("--window", trial->window, "Tokens that the model attends to")
        ->check(CLI::Range(128, 1 << 16));
    eval->add_option("--longer-window", trial->wide, "Also without a memory and with this window");
    eval->add_option("--first-token", trial->fit.first_token, "Tokens count from there on");
    eval->footer(
        "Example: rpt-lab memory eval SmolLM2-135M.gguf --test books=test.jsonl.zst --cache cache "
        "--longer-window 2048");
    eval->callback([trial, &common] {
        common.action = [trial, &common] { return run_eval(*trial, common); };
    });
}

}  // namespace rpt::lab
