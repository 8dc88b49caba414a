#include "lab/train/training_run.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "lab/train/batch_pipeline.h"
#include "lab/train/checkpoint.h"
#include "lab/train/sample_source.h"
#include "lab/train/throughput.h"
#include "lab/train/training_data.h"

namespace rpt::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

// log.jsonl: one object a line, flushed at once so that it can be followed.
class RunLog {
  public:
    // Lines after `step` are dropped: a run that goes on from there writes them again.
    RunLog(const fs::path& path, int64_t step) {
        std::string kept;
        std::ifstream in(path);
        for (std::string line; std::getline(in, line);) {
            const Json json = Json::parse(line, nullptr, false);
            if (json.is_object() && json.value("step", int64_t{0}) <= step) kept += line + "\n";
        }
        in.close();
        out_.open(path, std::ios::trunc);
        out_ << kept << std::flush;
        if (!out_) throw Error(Status::kIo, "os", "cannot write \"" + path.string() + "\"");
    }
    void write(const Json& line) { out_ << line.dump() << "\n" << std::flush; }

  private:
    std::ofstream out_;
};

// The first samples of a shuffle of each validation shard, the same in every run with this seed.
std::vector<Sample> validation_samples(const TrainConfig& config, const std::string& data_dir,
                                       const ShardVocabulary& vocabulary) {
    TrainConfig plain = config;
    plain.train.neighbour_dropout = 0;
    plain.train.targets = TargetKind::kNone;
    plain.train.given_query = GivenQuery::kChunk;
    std::vector<Sample> samples;
    for (const std::string& name : config.validation) {
        auto shard = open_training_shard(config, data_dir, name);
        require_same_vocabulary(shard->vocabulary(), vocabulary);
        SampleSource source({{shard, 1.0}}, config.train.length, config.train.min_fill, 0);
        const auto n =
            std::min<int64_t>(config.train.validate_samples, static_cast<int64_t>(source.pieces()));
        for (int64_t i = 0; i < n; ++i) {
            const std::vector<int32_t> text = source.read(source.next());
            samples.push_back(make_sample(plain, vocabulary, text, 0, i));
        }
    }
    return samples;
}

Json step_line(const StepReport& r, double tokens_per_second, double share, double seconds) {
    Json line = {{"step", r.step},      {"loss", r.loss},
                 {"aux", r.aux},        {"lr", r.lr},
                 {"tau", r.tau},        {"alpha", r.alpha},
                 {"p_own", r.p_own},    {"gradient_norm", r.gradient_norm},
                 {"tokens", r.tokens},  {"tokens_per_second", tokens_per_second},
                 {"gemm_share", share}, {"seconds", seconds}};
    if (r.gate_mean >= 0) line["gate_mean"] = r.gate_mean;
    if (r.null_mass >= 0) line["null_mass"] = r.null_mass;
    if (r.sink_mass >= 0) line["sink_mass"] = r.sink_mass;
    if (r.distinct >= 0) line["distinct"] = r.distinct;
    line["phases"] = {{"lower", r.lower}, {"choice", r.choice},     {"upper", r.upper},
                      {"head", r.head},   {"backward", r.backward}, {"update", r.update}};
    return line;
}

// A name of `fresh` that no tensor begins with is a mistake.
void start_from(const std::string& path, const std::vector<std::string>& fresh,
                const ShardVocabulary& vocabulary, model::RptModel& model) {
    const TrainedModel start = load_trained_model(path, at::kCPU);
    if (start.tokenizer != vocabulary.tokenizer) {
        throw Error(Status::kModelMismatch, "rpt",
                    "\"" + path + "\" was trained with another tokenizer than the shards'");
    }
    const at::NoGradGuard no_grad;
    std::map<std::string, at::Tensor> known(start.model->parameters().begin(),
                                            start.model->parameters().end());
    std::set<std::string> unused(fresh.begin(), fresh.end());
    for (const auto& [name, parameter] : model.parameters()) {
        const auto begins = [&](const std::string& prefix) { return name.starts_with(prefix); };
        if (const auto it = std::find_if(fresh.begin(), fresh.end(), begins); it != fresh.end()) {
            unused.erase(*it);
            continue;
        }
        const auto it = known.find(name);
        if (it == known.end() || it->second.sizes() != parameter.sizes()) {
            throw Error(Status::kModelMismatch, "rpt",
                        "\"" + path + "\" has no fitting tensor \"" + name +
                            "\"; --fresh lets it begin anew");
        }
        parameter.detach().copy_(it->second);
    }
    if (!unused.empty())
        throw Error(Status::kArgument, "rpt",
                    "no tensor's name begins with \"" + *unused.begin() + "\"");
}

}  // namespace

bool run_training(const TrainConfig& config, const RunPaths& paths, bool resume, at::Device device,
                  const RunHooks& hooks) {
    config.validate();
    if (config.train.threads > 0) at::set_num_threads(static_cast<int>(config.train.threads));
    const fs::path out(paths.out_dir);
    const std::string checkpoint = (out / "checkpoint.safetensors").string();
    const bool has_run = fs::exists(checkpoint);
    if (has_run && !resume) {
        throw Error(
            Status::kExists, "rpt",
            "\"" + paths.out_dir + "\" holds a run; pass --resume or name another directory");
    }
    std::error_code made;
    fs::create_directories(out, made);
    if (made)
        throw Error(Status::kIo, "os",
                    "cannot create \"" + paths.out_dir + "\": " + made.message());

    const TrainingData data = open_training_data(config, paths.data_dir);
    const ShardVocabulary& vocabulary = data.vocabulary;
    const auto targets = open_training_targets(config, paths.data_dir, vocabulary);
    const std::vector<Sample> validation = validation_samples(config, paths.data_dir, vocabulary);

    model::RptModel model(config.model, config.train.seed, device);
    Trainer trainer(config, model, device);
    if (has_run) {
        load_checkpoint(checkpoint, vocabulary, trainer);
    } else if (!paths.start.empty()) {
        start_from(paths.start, paths.fresh, vocabulary, model);
    }
    std::ofstream((out / "config.json").string()) << config.to_json() << "\n";

    const TrainOptions& t = config.train;
    model::ModelConfig worked = config.model;  // the phase of whole pools is not counted
    if (worked.scores_weigh()) worked.neighbours = t.train_neighbours;
    const bool low_precision = t.precision == Precision::kBf16;
    RunHooks::Start start{
        0, trainer.steps_done(), 3 * forward_flops_per_token(worked, t.length),
        gemm_flops_per_second(config.model, t.documents_a_pass() * t.length, device,
                              low_precision ? at::kBFloat16 : at::kFloat)};
    for (const auto& [name, parameter] : model.parameters()) start.parameters += parameter.numel();
    if (hooks.started) hooks.started(start);

    RunLog log(out / "log.jsonl", trainer.steps_done());
    log.write({{"step", trainer.steps_done()},
               {"event", has_run ? "resume" : "start"},
               {"parameters", start.parameters},
               {"flops_per_token", start.flops_per_token},
               {"gemm_flops", start.gemm_flops}});
    BatchPipeline pipeline(config, vocabulary, training_source(config, data), trainer.steps_done(),
                           targets);
    const auto begin = Clock::now();
    const auto elapsed = [&] {
        return std::chrono::duration<double>(Clock::now() - begin).count();
    };
    const auto validate = [&] {
        const ValidationReport report = trainer.validate(validation);
        log.write({{"step", trainer.steps_done()},
                   {"event", "validation"},
                   {"own", report.own},
                   {"none", report.none},
                   {"tokens", report.tokens}});
        if (hooks.validated) hooks.validated(report, trainer.steps_done());
    };
    const auto save = [&] { save_checkpoint(trainer, vocabulary, {}, checkpoint); };

    while (trainer.steps_done() < t.steps) {
        const auto before = Clock::now();
        const int64_t number = trainer.steps_done() + 1;
        const bool logged = number % t.log_every == 0 || number == 1 || number == t.steps;
        const StepReport report = trainer.step(pipeline.next(), logged);
        const double seconds = std::chrono::duration<double>(Clock::now() - before).count();
        const double rate = static_cast<double>(t.batch_documents * t.length) / seconds;
        const double share = rate * start.flops_per_token / start.gemm_flops;
        if (logged) log.write(step_line(report, rate, share, elapsed()));
        if (hooks.stepped) hooks.stepped(report, rate, share);
        const bool stopped = hooks.stop && hooks.stop->load();
        const bool last = number == t.steps;
        if (!validation.empty() && !stopped &&
            (last || (t.validate_every > 0 && number % t.validate_every == 0))) {
            validate();
        }
        if (stopped || last || (t.checkpoint_every > 0 && number % t.checkpoint_every == 0)) save();
        if (stopped && !last) return false;
    }
    return true;
}

}  // namespace rpt::train
