#include <csignal>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <memory>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/evaluation_tables.h"
#include "apps/rpt-lab/large_blocks.h"
#include "apps/rpt-lab/progress_line.h"
#include "apps/rpt-lab/text_files.h"
#include "base/error.h"
#include "lab/engine/torch_factory.h"
#include "lab/memory/row_pointer.h"
#include "lab/train/checkpoint.h"
#include "lab/train/devices.h"
#include "lab/train/dual_encoder.h"
#include "lab/train/target_cache.h"

namespace rpt::lab {
namespace {

struct EvalArguments {
    std::string model;
    std::vector<std::string> shards;
    eval::EvalOptions options;
    std::vector<std::string> rows;
    std::vector<int64_t> neighbours;
    BootstrapChoice bootstrap;
    int64_t max_documents = 0;  // of each shard
    int threads = 0;
    std::string targets, dpr, pointer;
    std::string out;
    std::string device = "cpu";
};

[[noreturn]] void refuse_tokenizer(const std::string& path) {
    throw Error(Status::kModelMismatch, "rpt",
                "\"" + path + "\" was made with another tokenizer than the model's");
}

// Target scores, the encoders' retriever and a pointer, where they are asked for.
eval::EvalSources open_sources(const EvalArguments& args, const train::TrainedModel& subject,
                               at::Device device) {
    const model::ModelConfig& config = subject.model->config();
    eval::EvalSources sources;
    if (!args.targets.empty() && config.has_memory()) {
        const auto cache = train::TargetCache::open(args.targets, config, args.options.candidates);
        if (cache->header().tokenizer != to_hex(subject.tokenizer)) refuse_tokenizer(args.targets);
        sources.targets = [cache](std::span<const int32_t> inputs, int64_t n_tokens) {
            return cache->find(inputs, n_tokens);
        };
    }
    if (!args.dpr.empty() && config.has_memory()) {
        auto loaded = train::DualEncoder::load(args.dpr, device);
        if (loaded.tokenizer != subject.tokenizer) refuse_tokenizer(args.dpr);
        if (loaded.encoder->shape().chunk != config.chunk) {
            throw Error(Status::kModelMismatch, "rpt",
                        "\"" + args.dpr + "\" encodes chunks of " +
                            std::to_string(loaded.encoder->shape().chunk) + " tokens, the model " +
                            std::to_string(config.chunk));
        }
        const std::shared_ptr<const train::DualEncoder> encoder = std::move(loaded.encoder);
        sources.dpr = [encoder](std::span<const int32_t> inputs) {
            return encoder->span_scores(inputs);
        };
    }
    if (!args.pointer.empty())
        memory::add_pointer(memory::load_pointer(args.pointer), config, to_hex(subject.fingerprint),
                            args.pointer, sources);
    return sources;
}

std::atomic<bool> interrupted{false};
void on_interrupt(int) {
    interrupted.store(true);
}

// A document of a shard.
struct Place {
    std::shared_ptr<const train::Shard> shard;
    size_t number;
};

std::vector<Place> places_of(const EvalArguments& args, const Digest& tokenizer) {
    std::vector<Place> places;
    for (const std::string& path : args.shards) {
        const std::shared_ptr<const train::Shard> shard = train::Shard::open(path);
        if (shard->vocabulary().tokenizer != tokenizer) {
            throw Error(Status::kModelMismatch, "rpt",
                        "shard \"" + path + "\" was made with another tokenizer than the model's");
        }
        for (size_t d = 0; d < shard->documents().size(); ++d) {
            if (args.max_documents > 0 && static_cast<int64_t>(d) >= args.max_documents) break;
            places.push_back({shard, d});
        }
    }
    if (places.empty()) throw Error(Status::kArgument, "rpt", "the shards hold no document");
    return places;
}

eval::DocumentScores read_document(const Place& place, const model::RptModel& model,
                                   const eval::EvalOptions& options, at::Device device) {
    const train::ShardDocument& entry = place.shard->documents()[place.number];
    const auto text = place.shard->read(place.number, 0, entry.tokens);
    auto scores = eval::score_document(model, place.shard->vocabulary(), text, options, device);
    scores.id = entry.id;
    scores.collection = entry.collection;
    // a document read in part counts its bytes in part
    scores.bytes = static_cast<uint64_t>(
        static_cast<double>(entry.bytes) * static_cast<double>(scores.tokens) /
        static_cast<double>(std::max<uint64_t>(1, entry.tokens - 1)));
    return scores;
}

// In the order of the places; fewer after an interrupt.
std::vector<eval::DocumentScores> read_documents(const std::vector<Place>& places,
                                                 const model::RptModel& model,
                                                 const eval::EvalOptions& options,
                                                 at::Device device, ProgressLine& progress) {
    std::vector<eval::DocumentScores> documents;
    int64_t tokens = 0;
    for (const Place& place : places) {
        if (interrupted.load()) break;
        documents.push_back(read_document(place, model, options, device));
        give_back_many_free_blocks();
        tokens += documents.back().tokens;
        progress.show(
            std::to_string(documents.size()) + " documents, " + std::to_string(tokens / 1000) +
            " k tokens, " +
            std::to_string(static_cast<int64_t>(static_cast<double>(tokens) / progress.seconds())) +
            " tokens/s");
    }
    return documents;
}

int run(const EvalArguments& args, const Common& common) {
    if (args.threads > 0) engine::set_torch_threads(args.threads);
    const at::Device device = train::choose_device(args.device);
    const train::TrainedModel subject = train::load_trained_model(args.model, device);
    eval::EvalOptions options = args.options;
    const model::ModelConfig& config = subject.model->config();
    options.sources = open_sources(args, subject, device);
    options.rows = eval::choose_rows(config, options.sources, args.rows, args.neighbours);
    bool known = args.bootstrap.against.empty();
    for (const eval::Row& row : options.rows)
        known |= args.bootstrap.against == eval::row_name(row);
    if (!known) {
        throw Error(Status::kArgument, "rpt",
                    "no row \"" + args.bootstrap.against + "\" to compare with is read");
    }
    std::signal(SIGINT, on_interrupt);

    ProgressLine progress(common.quiet);
    const auto documents = read_documents(places_of(args, subject.tokenizer), *subject.model,
                                          options, device, progress);
    if (interrupted.load()) return kInterrupted;
    int64_t tokens = 0;
    for (const eval::DocumentScores& document : documents) tokens += document.tokens;
    nlohmann::ordered_json summary = {{"model", args.model},
                                      {"shards", args.shards},
                                      {"span", args.options.span},
                                      {"max_tokens", args.options.max_tokens},
                                      {"chunk", config.chunk},
                                      {"neighbours", config.neighbours},
                                      {"usual_row", eval::row_name(eval::usual_row(config))},
                                      {"gold", options.sources.targets ? "scores" : "lexical"}};
    summary.update(summary_json(documents, args.bootstrap));
    summary["seconds"] = progress.seconds();
    if (!args.out.empty()) {
        nlohmann::ordered_json all = summary;
        all["raw"] = raw_json(documents);
        write_file(args.out, all.dump(options.per_chunk ? -1 : 1) + "\n");
    }
    if (common.json) {
        std::cout << summary.dump() << "\n";
    } else {
        std::cout << documents.size() << " documents, " << tokens << " tokens, "
                  << (args.options.span > 0 ? "spans of " + std::to_string(args.options.span)
                                            : "whole documents")
                  << "\n"
                  << summary_table(summary);
    }
    return kDone;
}

}  // namespace

void add_eval_command(CLI::App& app, Common& common) {
    CLI::App* command = app.add_subcommand("eval", "Measure a model on shards: loss and retrieval");
    const auto args = std::make_shared<EvalArguments>();
    command->add_option("model", args->model, "Model package or checkpoint")->required();
    command->add_option("shards", args->shards, "Token shards")->required();
    command
        ->add_option(
            "--span", args->options.span,
            "Tokens read in one piece, memory included; 0: the document, in parts of 262144 "
            "tokens where it is longer")
        ->capture_default_str();
    command->add_option("--max-tokens", args->options.max_tokens, "Of each document; 0: all");
    command->add_option("--max-documents", args->max_documents, "Of each shard; 0: all");
    command
        ->add_option("-k,--neighbours", args->neighbours,
                     "Neighbours a chunk reads, a list such as 1,2,4; rows of another number than "
                     "the model's are called own@4")
        ->delimiter(',')
        ->check(CLI::Range(int64_t{1}, eval::kMostNeighbours));
    command
        ->add_option(
            "--rows", args->rows,
            "Choices of neighbours to read with, such as own,none,own@8; usual: own, or what "
            "the model was trained with; all if not given")
        ->delimiter(',');
    command->add_option("--targets", args->targets,
                        "Target scores of these spans, as rpt-lab targets --shards writes them: "
                        "they say which chunks are gold");
    command->add_option("--dpr", args->dpr, "Encoders of rpt-lab dpr: adds the row dpr");
    command->add_option("--pointer", args->pointer,
                        "Pointer of rpt-lab memory row: adds the row pointer, which reads as usual "
                        "and copies from what has left the window");
    command->add_flag("--chunks", args->options.per_chunk,
                      "Also write the nats of every chunk, for rpt-lab compare");
    command->add_option("--against", args->bootstrap.against,
                        "Compare every row with this one by paired bootstrap");
    command
        ->add_option("--resamples", args->bootstrap.resamples, "Samples that the bootstrap draws")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000000));
    command
        ->add_option("--seed", args->bootstrap.seed, "Seed of the bootstrap and of the row random")
        ->capture_default_str();
    command->add_option("--threads", args->threads, "0: as many as the machine has cores");
    command->add_option("--out", args->out, "Summary and every document's scores as JSON");
    command->add_option("--device", args->device, "cpu or cuda")
        ->check(CLI::IsMember({"cpu", "cuda"}))
        ->capture_default_str();
    command->footer(
        "Example: rpt-lab eval nano.safetensors math.test.shard --against none --out scores.json");
    command->callback([args, &common] {
        args->options.seed = args->bootstrap.seed;
        common.action = [args, &common] { return run(*args, common); };
    });
}

}  // namespace rpt::lab
