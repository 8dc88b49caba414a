#include <csignal>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/progress_line.h"
#include "apps/rpt-lab/text_files.h"
#include "base/error.h"
#include "lab/engine/torch_factory.h"
#include "lab/train/batch.h"
#include "lab/train/checkpoint.h"
#include "lab/train/devices.h"
#include "lab/train/document_span.h"
#include "lab/train/target_scores.h"
#include "lab/train/training_data.h"

namespace rpt::lab {
namespace {

using Json = nlohmann::ordered_json;

std::atomic<bool> interrupted{false};
void on_interrupt(int) {
    interrupted.store(true);
    std::signal(SIGINT, SIG_DFL);  // a second one ends the program at once
}

struct TargetArguments {
    std::string config, tier;
    std::vector<std::string> overrides;
    std::string data_dir, scorer, out;
    std::string context = "prefix";
    std::string device = "cpu";
    int threads = 0;
    int64_t steps = 0, top = 20, every = 1;
    // Spans of evaluation instead of the pieces of a run.
    std::vector<std::string> shards;
    int64_t span = 16384, max_tokens = 0, max_documents = 0;
};

// What a model reads in one go.
struct Input {
    std::vector<int32_t> tokens;
    int64_t n_tokens = 0;
};

// Gives the next input until there is none.
using InputSource = std::function<bool(Input&)>;

// The pieces that training reads in its first `steps` steps.
InputSource training_inputs(const train::TrainConfig& config, const train::TrainingData& data,
                            int64_t steps) {
    auto source = std::make_shared<train::SampleSource>(train::training_source(config, data));
    auto plain = std::make_shared<train::TrainConfig>(config);
    plain->train.targets = train::TargetKind::kNone;
    return [=, vocabulary = data.vocabulary, place = int64_t{0}](Input& input) mutable {
        const int64_t batch = plain->train.batch_documents;
        if (place >= steps * batch) return false;
        const auto sample = train::make_sample(*plain, vocabulary, source->read(source->next()),
                                               place / batch, place % batch);
        ++place;
        input.tokens.assign(sample.inputs.begin(), sample.inputs.end());
        input.n_tokens = sample.n_tokens;
        return true;
    };
}

using Shards = std::vector<std::shared_ptr<const train::Shard>>;

// Documents that evaluation reads, and the parts it reads them in.
InputSource evaluation_inputs(const TargetArguments& args, const model::ModelConfig& model,
                              const Shards& shards) {
    const auto length = static_cast<size_t>(train::span_length(model, args.span));
    return [=, &args, number = size_t{0}, document = size_t{0}, at = size_t{0},
            text = std::vector<int32_t>()](Input& input) mutable {
        while (at >= text.size()) {
            if (number >= shards.size()) return false;
            const auto& documents = shards[number]->documents();
            if (document >= documents.size() ||
                (args.max_documents > 0 && document >= static_cast<size_t>(args.max_documents))) {
                ++number;
                document = 0;
                continue;
            }
            const uint64_t tokens = documents[document].tokens;
            text = shards[number]->read(
                document, 0,
                args.max_tokens > 0 ? std::min(tokens, static_cast<uint64_t>(args.max_tokens))
                                    : tokens);
            ++document;
            at = 0;
        }
        const auto part =
            std::span<const int32_t>(text).subspan(at, std::min(length, text.size() - at));
        auto span = train::make_document_span(model, shards[number]->vocabulary(), part);
        at += length;
        input = {std::move(span.inputs), span.n_tokens};
        return true;
    };
}

// The last folder and the file: checkpoints are all named alike.
std::string short_name(const std::string& path) {
    const std::filesystem::path whole(path);
    return (whole.parent_path().filename() / whole.filename()).string();
}

Json report_json(const train::TargetCache& cache) {
    const train::TargetReport r = train::report_targets(cache);
    return {{"cache", Json::parse(cache.header().to_json())},
            {"pieces", r.pieces},
            {"chunks_with_pool", r.chunks},
            {"scores", r.scores},
            {"chunks_with_positive", r.with_positive},
            {"positive_scores", r.positives},
            {"mean_score", r.mean_score},
            {"mean_best", r.mean_best},
            {"mean_best_of_first", r.best_of}};
}

class TargetRun {
  public:
    TargetRun(const TargetArguments& args, const Common& common)
        : args_(args),
          config_(train::TrainConfig::from_file(args.config, args.tier, args.overrides)),
          device_(train::choose_device(args.device)),
          progress_(common.quiet) {
        const int64_t threads = args.threads > 0 ? args.threads : config_.train.threads;
        if (threads > 0) engine::set_torch_threads(static_cast<int>(threads));
        for (const std::string& path : args.shards) shards_.push_back(train::Shard::open(path));
        if (shards_.empty()) data_ = train::open_training_data(config_, args.data_dir);
        vocabulary_ = shards_.empty() ? data_.vocabulary : shards_[0]->vocabulary();
        for (const auto& shard : shards_)
            train::require_same_vocabulary(shard->vocabulary(), vocabulary_);
        scorer_ = train::load_trained_model(args.scorer, device_);
        if (scorer_.tokenizer != vocabulary_.tokenizer ||
            vocabulary_.size > scorer_.model->config().vocab) {
            throw Error(Status::kModelMismatch, "rpt",
                        "scorer \"" + args.scorer +
                            "\" was trained with another tokenizer than the shards'");
        }
        context_ = args.context == "memory" ? train::ScoringContext::kMemory
                                            : train::ScoringContext::kPrefix;
        options_ = {config_.train.candidates, std::min(args.top, config_.train.candidates),
                    args.every};
    }

    // False when it was interrupted.
    bool score_all() {
        const auto reader =
            train::make_context_reader(context_, *scorer_.model, config_.model.chunk, device_);
        train::TargetCacheWriter writer(args_.out, header());
        const int64_t total = count();
        Input input;
        for (const InputSource next = inputs(); next(input); ++seen_) {
            if (interrupted.load()) return false;
            if (writer.contains(input.tokens, input.n_tokens)) continue;
            writer.add(input.tokens, input.n_tokens,
                       train::score_targets(*reader, config_.model, options_, input.tokens,
                                            input.n_tokens));
            ++scored_;
            tokens_ = reader->tokens_read();
            show(total);
        }
        return true;
    }

    Json report() const {
        Json json = report_json(
            *train::TargetCache::open(args_.out, config_.model, config_.train.candidates));
        json["run"] = {{"pieces", scored_},
                       {"tokens_read", tokens_},
                       {"seconds", progress_.seconds()},
                       {"tokens_per_second", static_cast<double>(tokens_) / progress_.seconds()}};
        return json;
    }

  private:
    train::TargetCacheHeader header() const {
        auto h = train::target_cache_header(config_.model, config_.train.candidates);
        h.tokenizer = to_hex(vocabulary_.tokenizer);
        h.scorer = short_name(args_.scorer);
        h.scorer_sha256 = to_hex(scorer_.fingerprint);
        h.context = train::context_name(context_);
        h.top = options_.top;
        h.every = options_.every;
        return h;
    }

    InputSource inputs() const {
        if (!shards_.empty()) return evaluation_inputs(args_, config_.model, shards_);
        return training_inputs(config_, data_, steps());
    }

    int64_t steps() const { return args_.steps > 0 ? args_.steps : config_.train.steps; }

    int64_t count() const {
        if (shards_.empty()) return steps() * config_.train.batch_documents;
        int64_t n = 0;
        Input input;
        for (const InputSource next = inputs(); next(input);) ++n;
        return n;
    }

    void show(int64_t total) {
        const double seconds = progress_.seconds(), each = seconds / static_cast<double>(scored_);
        char text[160];
        std::snprintf(text, sizeof text, "%lld/%lld pieces, %.0f tokens/s, %s left",
                      static_cast<long long>(seen_ + 1), static_cast<long long>(total),
                      static_cast<double>(tokens_) / seconds,
                      duration_text(each * static_cast<double>(total - seen_ - 1)).c_str());
        progress_.show(text);
    }

    const TargetArguments& args_;
    train::TrainConfig config_;
    at::Device device_;
    ProgressLine progress_;
    Shards shards_;
    train::TrainingData data_;
    train::ShardVocabulary vocabulary_;
    train::TrainedModel scorer_;
    train::ScoringContext context_ = train::ScoringContext::kPrefix;
    train::ScoringOptions options_;
    int64_t seen_ = 0, scored_ = 0, tokens_ = 0;
};

void print_table(const Json& report) {
    std::printf(
        "%lld pieces, %lld chunks with a pool, %.1f %% with a positive, mean best score "
        "%.4f nats a token\n",
        static_cast<long long>(report["pieces"].get<int64_t>()),
        static_cast<long long>(report["chunks_with_pool"].get<int64_t>()),
        100 * report["chunks_with_positive"].get<double>(), report["mean_best"].get<double>());
    std::printf("all scores: mean %.4f, %.1f %% above 0\nmean best of the first",
                report["mean_score"].get<double>(), 100 * report["positive_scores"].get<double>());
    const auto& best = report["mean_best_of_first"];
    for (size_t n = 1; n <= best.size(); n = n < 2 ? 2 : n < 5 ? 5 : n + 5)
        std::printf("  %zu: %.4f", n, best[n - 1].get<double>());
    std::printf("\nread %lld tokens in %.0f s, %.0f a second\n",
                static_cast<long long>(report["run"]["tokens_read"].get<int64_t>()),
                report["run"]["seconds"].get<double>(),
                report["run"]["tokens_per_second"].get<double>());
}

int run(const TargetArguments& args, const Common& common) {
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
    TargetRun targets(args, common);
    const bool finished = targets.score_all();
    const Json report = targets.report();
    write_file(args.out + ".json", report.dump(1) + "\n");
    if (common.json) {
        std::cout << report.dump() << "\n";
    } else {
        print_table(report);
    }
    if (finished) return kDone;
    std::fprintf(stderr, "rpt-lab: stopped after %lld pieces; run the same command to go on\n",
                 static_cast<long long>(report["pieces"].get<int64_t>()));
    return kInterrupted;
}

}  // namespace

void add_targets_command(CLI::App& app, Common& common) {
    CLI::App* command = app.add_subcommand(
        "targets",
        "Score old chunks by how much they help a language model to predict the next one");
    const auto args = std::make_shared<TargetArguments>();
    command->add_option("config", args->config, "JSON of the run that will read the scores")
        ->required();
    command->add_option("--tier", args->tier, "JSON whose keys the config changes");
    command->add_option("--set", args->overrides, "Override a key, such as data_seed=3")
        ->take_all();
    command->add_option("--data-dir", args->data_dir, "Directory that shards are named in")
        ->default_val(".");
    command->add_option("--scorer", args->scorer, "Model package or checkpoint that scores")
        ->required();
    command->add_option("--out", args->out, "Target cache to make or to go on with")->required();
    command->add_option("--steps", args->steps,
                        "Steps of training whose pieces are scored; 0: train.steps");
    command->add_option("--top", args->top, "Candidates scored for each chunk, the best by BM25")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000));
    command->add_option("--every", args->every, "Score only every n-th chunk")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000000));
    command
        ->add_option("--context", args->context,
                     "The scorer reads old chunks as prefix, or as memory by cross-attention")
        ->check(CLI::IsMember({"prefix", "memory"}))
        ->capture_default_str();
    command->add_option("--shards", args->shards,
                        "Score the spans that rpt-lab eval reads of these shards, not a run's");
    command->add_option("--span", args->span, "With --shards: tokens read in one piece; 0: all")
        ->capture_default_str();
    command->add_option("--max-tokens", args->max_tokens, "With --shards: of each document");
    command->add_option("--max-documents", args->max_documents, "With --shards: of each shard");
    command->add_option("--threads", args->threads, "0: as the config says");
    command->add_option("--device", args->device, "cpu or cuda")->capture_default_str();
    command->footer(
        "Example: rpt-lab targets rpt_sem.json --data-dir data --scorer "
        "runs/txl/checkpoint.safetensors --out data/train.targets --top 8");
    command->callback(
        [args, &common] { common.action = [args, &common] { return run(*args, common); }; });
}

}  // namespace rpt::lab
