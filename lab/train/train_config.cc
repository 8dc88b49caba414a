#include "lab/train/train_config.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
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
                                        {TargetKind::kLmScores, "lm_scores"},
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
    v.field("quotes", o.quotes);
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
    v.field("data_seed", o.data_seed);
    v.choice("targets", o.targets, kTargetNames);
    v.field("target_cache", o.target_cache);
    v.field("candidates", o.candidates);
    v.field("candidate_share", o.candidate_share);
    v.field("proxy_threshold", o.proxy_threshold);
    v.choice("lambda", o.lambda, kLambdaNames);
    v.field("tau_start", o.tau_start);
    v.field("tau_max", o.tau_max);
    v.field("tau_fraction", o.tau_fraction);
    v.field("alpha_max", o.alpha_max);
    v.field("alpha_ramp_fraction", o.alpha_ramp_fraction);
    v.field("detach_aux", o.detach_aux);
    v.field("retriever_only", o.retriever_only);
    v.field("own_start", o.own_start);
    v.field("own_end", o.own_end);
    v.field("sampling_end_fraction", o.sampling_end_fraction);
    v.field("sampling_per_chunk", o.sampling_per_chunk);
    v.field("neighbour_dropout", o.neighbour_dropout);
    v.field("train_neighbours", o.train_neighbours);
    v.field("gca_dense_fraction", o.gca_dense_fraction);
    v.field("gca_noise_start", o.gca_noise_start);
    v.field("gca_noise_end", o.gca_noise_end);
    v.field("teacher_pick", o.teacher_pick);
    v.field("foreign_negatives", o.foreign_negatives);
    v.choice("given_query", o.given_query, kQueryNames);
    v.choice("precision", o.precision, kPrecisionNames);
    v.field("threads", o.threads);
    v.field("workers", o.workers);
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
        } else if constexpr (std::is_same_v<T, std::string>) {
            if (!it->is_string()) refuse("train." + std::string(name) + " must be a text");
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
                const auto require = [&](bool fits, const char* wanted) {
                    if (!fits) refuse("data." + name + " must be " + wanted);
                };
                if (name == "shard") {
                    source.shard = value.get<std::string>();
                } else if (name == "weight") {
                    require(value.is_number(), "a number");
                    source.weight = value.get<double>();
                } else if (name == "across_documents") {
                    require(value.is_boolean(), "true or false");
                    source.across_documents = value.get<bool>();
                } else if (name == "fim") {
                    require(value.is_number(), "a number");
                    source.fim = value.get<double>();
                } else {
                    refuse("unknown key \"data." + name + "\"");
                }
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
    for (const DataSource& source : data) {
        require(source.weight > 0, "data.weight must be above 0");
        require(source.fim >= 0 && source.fim <= 1, "data.fim must be in [0, 1]");
    }
    require(t.steps > 0, "train.steps must be above 0");
    require(t.batch_documents > 0, "train.batch_documents must be above 0");
    require(t.micro_documents >= 0 &&
                (t.micro_documents == 0 || t.batch_documents % t.micro_documents == 0),
            "train.micro_documents must divide train.batch_documents");
    require(t.length > 0 && t.length % model.stride == 0,
            "train.length must be a multiple of model.stride");
    require(t.min_fill >= 0 && t.min_fill <= 1, "train.min_fill must be in [0, 1]");
    require(t.quotes >= 0 && t.quotes <= 1, "train.quotes must be in [0, 1]");
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
    require(t.candidate_share >= 0 && t.candidate_share < 1,
            "train.candidate_share must be in [0, 1)");
    require(t.alpha_max >= 0, "train.alpha_max must not be negative");
    require(t.own_start >= 0 && t.own_start <= 1, "train.own_start must be in [0, 1]");
    require(t.own_end >= 0 && t.own_end <= 1, "train.own_end must be in [0, 1]");
    require(t.targets != TargetKind::kLmScores || !t.target_cache.empty(),
            "train.target_cache must name the file that `rpt-lab targets` made for lm_scores");
    require(
        !t.retriever_only || (model.ranks() && t.targets != TargetKind::kNone),
        "train.retriever_only needs a retriever that ranks (retrieval lambda_rank) and targets");
    require(t.train_neighbours > 0 && t.train_neighbours <= 4096,
            "train.train_neighbours must be in [1, 4096]");
    require(t.gca_dense_fraction >= 0 && t.gca_dense_fraction <= 1,
            "train.gca_dense_fraction must be in [0, 1]");
    require(t.gca_noise_start >= 0 && t.gca_noise_end >= 0,
            "train.gca_noise_start and gca_noise_end must not be negative");
    require(t.teacher_pick >= 0 && t.teacher_pick <= 1, "train.teacher_pick must be in [0, 1]");
    require(t.foreign_negatives >= 0 && t.foreign_negatives <= 1,
            "train.foreign_negatives must be in [0, 1]");
    require(t.neighbour_dropout >= 0 && t.neighbour_dropout <= 1,
            "train.neighbour_dropout must be in [0, 1]");
    require(t.threads >= 0 && t.threads <= 1024, "train.threads must be in [0, 1024]");
    require(t.workers > 0 && t.workers <= t.batch_documents,
            "train.workers must be in [1, batch_documents]");
    require(t.log_every > 0, "train.log_every must be above 0");
    require(t.checkpoint_every >= 0, "train.checkpoint_every must not be negative");
    require(t.validate_every >= 0, "train.validate_every must not be negative");
    require(t.validate_samples > 0, "train.validate_samples must be above 0");
}

int64_t TrainOptions::documents_a_pass() const {
    if (micro_documents > 0) return micro_documents;
    return (batch_documents + workers - 1) / workers;
}

std::string TrainConfig::to_json() const {
    Writer writer;
    visit(train, writer);
    Json root;
    root["model"] = Json::parse(model.to_json());
    root["data"] = Json::array();
    for (const DataSource& source : data)
        root["data"].push_back({{"shard", source.shard},
                                {"weight", source.weight},
                                {"across_documents", source.across_documents},
                                {"fim", source.fim}});
    root["validation"] = validation;
    root["train"] = writer.json;
    return root.dump(2);
}

namespace {

// Keys that change what stands before them (train_config.h) become what they mean.
void fold_changes(Json& root) {
    if (root.contains("model") && root["model"].contains("extra_layers")) {
        Json& model = root["model"];
        if (!model["extra_layers"].is_number_integer())
            refuse("model.extra_layers must be an integer");
        const auto extra = model["extra_layers"].get<int64_t>();
        const model::ModelConfig defaults;
        model["n_lower"] = model.value("n_lower", defaults.n_lower) + extra / 2;
        model["n_upper"] = model.value("n_upper", defaults.n_upper) + extra - extra / 2;
        model.erase("extra_layers");
    }
    if (root.contains("train") && root["train"].contains("steps_scale")) {
        Json& train = root["train"];
        if (!train["steps_scale"].is_number()) refuse("train.steps_scale must be a number");
        const double steps = static_cast<double>(train.value("steps", TrainOptions().steps)) *
                             train["steps_scale"].get<double>();
        train["steps"] = static_cast<int64_t>(std::llround(steps));
        train.erase("steps_scale");
    }
}

// `tier` and the chain of parents are merged from the oldest to the youngest; lists are replaced.
Json read_chain(const std::filesystem::path& path, const Json& tier,
                std::vector<std::filesystem::path> children) {
    const auto whole = std::filesystem::weakly_canonical(path);
    if (std::find(children.begin(), children.end(), whole) != children.end())
        refuse("\"" + path.string() + "\" is its own ancestor by \"parent\"");
    std::ifstream in(path);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in)
        throw Error(Status::kIo, "os",
                    "cannot read \"" + path.string() + "\": " + std::strerror(errno), -1, errno);
    Json own = Json::parse(text, nullptr, false, true);
    if (!own.is_object()) refuse("\"" + path.string() + "\" is not a JSON object");
    if (!own.contains("parent")) {
        Json root = tier;
        root.merge_patch(own);
        return root;
    }
    if (!own["parent"].is_string()) refuse("parent must be the name of a file");
    const auto parent = path.parent_path() / own["parent"].get<std::string>();
    own.erase("parent");
    children.push_back(whole);
    Json root = read_chain(parent, tier, children);
    fold_changes(root);
    root.merge_patch(own);
    return root;
}

}  // namespace

TrainConfig TrainConfig::from_file(const std::string& path, const std::string& tier,
                                   const std::vector<std::string>& overrides) {
    const Json base = tier.empty() ? Json::object() : read_chain(tier, Json::object(), {});
    return from_json(read_chain(path, base, {}).dump(), overrides);
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
    fold_changes(root);
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
