#include "core/train/train_config.h"

#include <set>
#include <type_traits>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace rpt::train {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void refuse(const std::string& text) {
    throw Error(Status::kArgument, "rpt", "training config: " + text);
}

template <class T>
using Names = std::vector<std::pair<T, const char*>>;
const Names<LambdaForm> kLambdaNames = {{LambdaForm::kCode, "code"},
                                        {LambdaForm::kTextbook, "textbook"}};
const Names<TargetKind> kTargetNames = {{TargetKind::kNone, "none"},
                                        {TargetKind::kBm25Rank, "bm25_rank"},
                                        {TargetKind::kLexicalProxy, "lexical_proxy"}};
const Names<GivenQuery> kQueryNames = {{GivenQuery::kChunk, "chunk"},
                                       {GivenQuery::kChunkAndTarget, "chunk_and_target"}};
const Names<Precision> kPrecisionNames = {{Precision::kFp32, "fp32"}, {Precision::kBf16, "bf16"}};

// Both directions share one list of fields, so that none can be written and not read.
template <class Options, class Visitor>
void visit(Options& o, Visitor& v) {
    v.field("steps", o.steps);
    v.field("batch_documents", o.batch_documents);
    v.field("micro_documents", o.micro_documents);
    v.field("length", o.length);
    v.field("min_fill", o.min_fill);
    v.field("lr", o.lr);
    v.field("embedding_lr_scale", o.embedding_lr_scale);
    v.field("warmup_fraction", o.warmup_fraction);
    v.field("min_lr_fraction", o.min_lr_fraction);
    v.field("weight_decay", o.weight_decay);
    v.field("beta1", o.beta1);
    v.field("beta2", o.beta2);
    v.field("eps", o.eps);
    v.field("clip", o.clip);
    v.field("seed", o.seed);
    v.choice("targets", o.targets, kTargetNames);
    v.field("candidates", o.candidates);
    v.field("proxy_threshold", o.proxy_threshold);
    v.choice("lambda", o.lambda, kLambdaNames);
    v.field("tau_start", o.tau_start);
    v.field("tau_max", o.tau_max);
    v.field("tau_fraction", o.tau_fraction);
    v.field("alpha_max", o.alpha_max);
    v.field("alpha_ramp_fraction", o.alpha_ramp_fraction);
    v.field("detach_aux", o.detach_aux);
    v.field("own_start", o.own_start);
    v.field("sampling_end_fraction", o.sampling_end_fraction);
    v.field("sampling_per_chunk", o.sampling_per_chunk);
    v.field("neighbour_dropout", o.neighbour_dropout);
    v.choice("given_query", o.given_query, kQueryNames);
    v.choice("precision", o.precision, kPrecisionNames);
    v.field("threads", o.threads);
    v.field("log_every", o.log_every);
    v.field("checkpoint_every", o.checkpoint_every);
    v.field("validate_every", o.validate_every);
    v.field("validate_samples", o.validate_samples);
}

struct Writer {
    Json json = Json::object();
    template <class T>
    void field(const char* name, const T& value) {
        json[name] = value;
    }
    template <class T>
    void choice(const char* name, const T& value, const Names<T>& names) {
        for (const auto& [known, text] : names) {
            if (known == value) json[name] = text;
        }
    }
};

class Reader {
  public:
    explicit Reader(const Json& json) : json_(json) {}

    template <class T>
    void field(const char* name, T& value) {
        known_.insert(name);
        const auto it = json_.find(name);
        if (it == json_.end()) return;
        if constexpr (std::is_same_v<T, bool>) {
            if (!it->is_boolean()) refuse("train." + std::string(name) + " must be true or false");
        } else if constexpr (std::is_integral_v<T>) {
            if (!it->is_number_integer())
                refuse("train." + std::string(name) + " must be an integer");
        } else {
            if (!it->is_number()) refuse("train." + std::string(name) + " must be a number");
        }
        value = it->template get<T>();
    }
    template <class T>
    void choice(const char* name, T& value, const Names<T>& names) {
        known_.insert(name);
        const auto it = json_.find(name);
        if (it == json_.end()) return;
        std::string list;
        for (const auto& [known, text] : names) {
            if (*it == text) {
                value = known;
                return;
            }
            list += (list.empty() ? "" : ", ") + std::string(text);
        }
        refuse("train." + std::string(name) + " must be one of " + list);
    }
    void refuse_unknown() const {
        for (const auto& [name, value] : json_.items()) {
            if (!known_.contains(name)) refuse("unknown key \"train." + name + "\"");
        }
    }

  private:
    const Json& json_;
    std::set<std::string> known_;
};

void apply_override(Json& root, const std::string& text) {
    const size_t equal = text.find('=');
    if (equal == std::string::npos || equal == 0)
        refuse("override \"" + text + "\" is not key=value");
    std::string key = text.substr(0, equal);
    if (key.find('.') == std::string::npos) key = "train." + key;
    const size_t dot = key.find('.');
    const std::string section = key.substr(0, dot);
    if (section != "train" && section != "model")
        refuse("override \"" + key + "\" names neither train nor model");
    const std::string value = text.substr(equal + 1);
    Json parsed = Json::parse(value, nullptr, false);
    root[section][key.substr(dot + 1)] = parsed.is_discarded() ? Json(value) : parsed;
}

void read_sources(const Json& root, TrainConfig& config) {
    if (root.contains("data")) {
        if (!root["data"].is_array()) refuse("data must be a list");
        for (const auto& entry : root["data"]) {
            DataSource source;
            if (!entry.is_object() || !entry.contains("shard") || !entry["shard"].is_string()) {
                refuse("every entry of data needs a \"shard\"");
            }
            for (const auto& [name, value] : entry.items()) {
                if (name != "shard" && name != "weight")
                    refuse("unknown key \"data." + name + "\"");
            }
            source.shard = entry["shard"].get<std::string>();
            if (entry.contains("weight")) {
                if (!entry["weight"].is_number()) refuse("data.weight must be a number");
                source.weight = entry["weight"].get<double>();
            }
            config.data.push_back(source);
        }
    }
    if (root.contains("validation")) {
        if (!root["validation"].is_array()) refuse("validation must be a list of shards");
        for (const auto& entry : root["validation"]) {
            if (!entry.is_string()) refuse("validation must be a list of shards");
            config.validation.push_back(entry.get<std::string>());
        }
    }
}

}  // namespace

void TrainConfig::validate() const {
    model.validate();
    const TrainOptions& t = train;
    const auto require = [](bool holds, const char* what) {
        if (!holds) refuse(what);
    };
    require(!data.empty(), "data names no shard");
    for (const DataSource& source : data) require(source.weight > 0, "data.weight must be above 0");
    require(t.steps > 0, "train.steps must be above 0");
    require(t.batch_documents > 0, "train.batch_documents must be above 0");
    require(t.micro_documents >= 0 &&
                (t.micro_documents == 0 || t.batch_documents % t.micro_documents == 0),
            "train.micro_documents must divide train.batch_documents");
    require(t.length > 0 && t.length % model.stride == 0,
            "train.length must be a multiple of model.stride");
    require(t.min_fill >= 0 && t.min_fill <= 1, "train.min_fill must be in [0, 1]");
    require(t.lr > 0, "train.lr must be above 0");
    require(t.embedding_lr_scale > 0, "train.embedding_lr_scale must be above 0");
    require(t.warmup_fraction >= 0 && t.warmup_fraction <= 1,
            "train.warmup_fraction must be in [0, 1]");
    require(t.min_lr_fraction >= 0 && t.min_lr_fraction <= 1,
            "train.min_lr_fraction must be in [0, 1]");
    require(t.weight_decay >= 0, "train.weight_decay must not be negative");
    require(t.beta1 >= 0 && t.beta1 < 1, "train.beta1 must be in [0, 1)");
    require(t.beta2 >= 0 && t.beta2 < 1, "train.beta2 must be in [0, 1)");
    require(t.eps > 0, "train.eps must be above 0");
    require(t.clip >= 0, "train.clip must not be negative");
    require(t.candidates > 0 && t.candidates <= 1000, "train.candidates must be in [1, 1000]");
    require(t.alpha_max >= 0, "train.alpha_max must not be negative");
    require(t.own_start >= 0 && t.own_start <= 1, "train.own_start must be in [0, 1]");
    require(t.neighbour_dropout >= 0 && t.neighbour_dropout <= 1,
            "train.neighbour_dropout must be in [0, 1]");
    require(t.threads >= 0 && t.threads <= 1024, "train.threads must be in [0, 1024]");
    require(t.log_every > 0, "train.log_every must be above 0");
    require(t.checkpoint_every >= 0, "train.checkpoint_every must not be negative");
    require(t.validate_every >= 0, "train.validate_every must not be negative");
    require(t.validate_samples > 0, "train.validate_samples must be above 0");
}

std::string TrainConfig::to_json() const {
    Writer writer;
    visit(train, writer);
    Json root;
    root["model"] = Json::parse(model.to_json());
    root["data"] = Json::array();
    for (const DataSource& source : data)
        root["data"].push_back({{"shard", source.shard}, {"weight", source.weight}});
    root["validation"] = validation;
    root["train"] = writer.json;
    return root.dump(2);
}

TrainConfig TrainConfig::from_json(const std::string& text,
                                   const std::vector<std::string>& overrides) {
    Json root = Json::parse(text, nullptr, false, true);
    if (root.is_discarded() || !root.is_object()) refuse("not a json object");
    for (const auto& [name, value] : root.items()) {
        if (name != "model" && name != "data" && name != "validation" && name != "train") {
            refuse("unknown key \"" + name + "\"");
        }
    }
    for (const std::string& text_override : overrides) apply_override(root, text_override);
    TrainConfig config;
    if (root.contains("model")) config.model = model::ModelConfig::from_json(root["model"].dump());
    if (root.contains("train")) {
        if (!root["train"].is_object()) refuse("train must be an object");
        Reader reader(root["train"]);
        visit(config.train, reader);
        reader.refuse_unknown();
    }
    read_sources(root, config);
    config.validate();
    return config;
}

}  // namespace rpt::train
