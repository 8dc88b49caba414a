// The configuration as packages and experiments write it.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "core/model/config.h"
#include "core/model/reading.h"

namespace rpt::model {
namespace {

using Json = nlohmann::ordered_json;

template <typename E>
using Names = std::initializer_list<std::pair<E, const char*>>;

// Stored in packages: never rename a value.
const Names<FfnKind> kFfnNames = {{FfnKind::kGelu, "gelu"}, {FfnKind::kSwiglu, "swiglu"}};
const Names<RopePairing> kPairingNames = {{RopePairing::kInterleaved, "interleaved"},
                                          {RopePairing::kHalves, "halves"}};
const Names<RopeScaling> kScalingNames = {{RopeScaling::kNone, "none"},
                                          {RopeScaling::kLinear, "linear"},
                                          {RopeScaling::kLlama3, "llama3"}};
const Names<CcaStart> kStartNames = {
    {CcaStart::kUsual, "usual"}, {CcaStart::kCopy, "copy"}, {CcaStart::kInduction, "induction"}};
const Names<CcaPosition> kPositionNames = {{CcaPosition::kRope, "rope"},
                                           {CcaPosition::kNone, "none"}};
const Names<GateKind> kGateNames = {{GateKind::kNone, "none"},
                                    {GateKind::kAffine, "affine"},
                                    {GateKind::kMax, "max"},
                                    {GateKind::kBias, "bias"}};
const Names<PoolRule> kPoolNames = {{PoolRule::kDisjoint, "disjoint"},
                                    {PoolRule::kWindowStart, "window_start"},
                                    {PoolRule::kPaper, "paper"}};
const Names<RetrievalKind> kRetrievalNames = {{RetrievalKind::kNone, "none"},
                                              {RetrievalKind::kGiven, "given"},
                                              {RetrievalKind::kLambdaRank, "lambda_rank"},
                                              {RetrievalKind::kGca, "gca"},
                                              {RetrievalKind::kGcaLambdaRank, "gca+lambda_rank"},
                                              {RetrievalKind::kPointer, "pointer"}};
const Names<CcaFuse> kFuseNames = {
    {CcaFuse::kJoint, "joint"}, {CcaFuse::kWeighted, "weighted"}, {CcaFuse::kBias, "bias"}};
const Names<CcaOptOut> kOptOutNames = {{CcaOptOut::kNullKv, "null_kv"},
                                       {CcaOptOut::kZeroSlot, "zero_slot"}};
const Names<CcaResidual> kResidualNames = {{CcaResidual::kAdd, "add"},
                                           {CcaResidual::kBypass, "bypass"}};
const Names<RetrieverStart> kRetrieverStartNames = {{RetrieverStart::kUsual, "usual"},
                                                    {RetrieverStart::kMatch, "match"}};
const Names<ScoreNorm> kScoreNormNames = {{ScoreNorm::kInputs, "inputs"},
                                          {ScoreNorm::kOutputs, "outputs"},
                                          {ScoreNorm::kCosine, "cosine"}};
constexpr std::pair<uint32_t, std::string_view> kWayNames[] = {
    {kReadCca, "cca"}, {kReadCopy, "copy"}, {kReadUpper, "upper"}, {kReadText, "text"}};

[[noreturn]] void refuse(const std::string& text) {
    throw Error(Status::kArgument, "rpt", "model config: " + text);
}

// get<int64_t>() would wrap what is larger.
bool is_int64(const Json& value) {
    return value.is_number_integer() &&
           !(value.is_number_unsigned() &&
             value.get<uint64_t>() > uint64_t(std::numeric_limits<int64_t>::max()));
}

constexpr int64_t kUpperLayers = std::numeric_limits<int64_t>::min();

// Numbers from the top and "upper" become layer numbers.
void resolve_layers(const ModelConfig& config, std::vector<int64_t>& layers) {
    if (layers == std::vector{kUpperLayers}) {
        layers.clear();
        for (int64_t i = config.n_lower + (config.n_upper > 1); i < config.layers(); ++i)
            layers.push_back(i);
    }
    for (int64_t& layer : layers) layer += layer < 0 ? config.layers() : 0;
}

// Either end of the JSON: one walk over the fields serves writing and reading, so that they cannot
// drift apart.
class Writer {
  public:
    template <typename T>
    void field(const char* name, const T& value) {
        json_[name] = value;
    }
    void layers(const char* name, const std::vector<int64_t>& value) { json_[name] = value; }
    template <typename E>
    void choice(const char* name, const E& value, const Names<E>& names) {
        for (const auto& [known, text] : names) {
            if (known == value) json_[name] = text;
        }
    }
    void ways(const char* name, uint32_t value) {
        std::string names;
        for (const auto& [way, text] : kWayNames)
            if ((value & way) != 0) names.append(names.empty() ? "" : ",").append(text);
        json_[name] = names;
    }
    std::string text() const { return json_.dump(); }

  private:
    Json json_;
};

class Reader {
  public:
    explicit Reader(const std::string& text) {
        json_ = Json::parse(text, nullptr, false);
        if (!json_.is_object()) refuse("not a JSON object");
    }

    void field(const char* name, int64_t& value) { read(name, value, is_int64, "an integer"); }
    void field(const char* name, double& value) {
        read(
            name, value, [](const Json& j) { return j.is_number(); }, "a number");
    }
    void field(const char* name, bool& value) {
        read(
            name, value, [](const Json& j) { return j.is_boolean(); }, "true or false");
    }
    // Kept as they are written: what they mean is known when all fields are.
    void layers(const char* name, std::vector<int64_t>& value) {
        seen_.push_back(name);
        const auto it = json_.find(name);
        if (it == json_.end()) return;
        const bool numbers = it->is_array() && std::all_of(it->begin(), it->end(), is_int64);
        if (numbers) {
            value = it->get<std::vector<int64_t>>();
        } else if (it->is_string() && it->get_ref<const std::string&>() == "upper") {
            value = {kUpperLayers};
        } else {
            refuse(std::string("field '") + name + "' must be a list of integers or \"upper\"");
        }
    }
    template <typename E>
    void choice(const char* name, E& value, const Names<E>& names) {
        seen_.push_back(name);
        const auto it = json_.find(name);
        if (it == json_.end()) return;
        std::string known;
        for (const auto& [candidate, text] : names) {
            if (it->is_string() && it->get_ref<const std::string&>() == text) {
                value = candidate;
                return;
            }
            known += known.empty() ? text : std::string(", ") + text;
        }
        refuse(std::string("field '") + name + "' must be one of " + known);
    }
    // Names with commas; none: 0. Packages that are older say `read_upper`.
    void ways(const char* name, uint32_t& value) {
        bool upper = false;
        field("read_upper", upper);
        value = upper ? kReadUpper : 0;
        seen_.push_back(name);
        const auto it = json_.find(name);
        if (it == json_.end()) return;
        if (!it->is_string()) refuse(std::string("field '") + name + "' must be a text");
        value = 0;
        const std::string& names = it->get_ref<const std::string&>();
        for (size_t begin = 0; begin < names.size();) {
            const size_t end = std::min(names.find(',', begin), names.size());
            const std::string_view one = std::string_view(names).substr(begin, end - begin);
            const auto* known =
                std::ranges::find(kWayNames, one, &std::pair<uint32_t, std::string_view>::second);
            if (known == std::end(kWayNames))
                refuse(std::string("field '") + name +
                       "' must be names with commas: cca, copy, "
                       "upper, text");
            value |= known->first;
            begin = end + 1;
        }
    }
    void refuse_unknown() const {
        for (const auto& [name, value] : json_.items()) {
            if (std::find(seen_.begin(), seen_.end(), name) == seen_.end()) {
                refuse("unknown field '" + name.substr(0, 64) + "'");
            }
        }
    }

  private:
    template <typename T, typename F>
    void read(const char* name, T& value, F fits, const char* wanted) {
        seen_.push_back(name);
        const auto it = json_.find(name);
        if (it == json_.end()) return;
        if (!fits(*it)) refuse(std::string("field '") + name + "' must be " + wanted);
        value = it->template get<T>();
    }

    Json json_;
    std::vector<std::string_view> seen_;
};

template <typename Visitor, typename Config>
void visit(Visitor& v, Config& c) {
    v.field("vocab", c.vocab);
    v.field("dim", c.dim);
    v.field("n_lower", c.n_lower);
    v.field("n_upper", c.n_upper);
    v.field("n_heads", c.n_heads);
    v.field("n_kv_heads", c.n_kv_heads);
    v.field("head_dim", c.head_dim);
    v.choice("ffn", c.ffn, kFfnNames);
    v.field("ffn_dim", c.ffn_dim);
    v.field("rope_theta", c.rope_theta);
    v.choice("rope_pairing", c.rope_pairing, kPairingNames);
    v.choice("rope_scaling", c.rope_scaling, kScalingNames);
    v.field("rope_factor", c.rope_factor);
    v.field("rope_low_frequency", c.rope_low_frequency);
    v.field("rope_high_frequency", c.rope_high_frequency);
    v.field("rope_original_context", c.rope_original_context);
    v.field("norm_eps", c.norm_eps);
    v.field("tied_output", c.tied_output);
    v.field("final_norm", c.final_norm);
    v.field("null_self_kv", c.null_self_kv);
    v.field("attention_bias", c.attention_bias);
    v.field("query_key_norm", c.query_key_norm);
    v.field("sink", c.sink);
    v.field("scale_logits", c.scale_logits);
    v.field("scale_embedding", c.scale_embedding);
    v.field("chunk", c.chunk);
    v.field("stride", c.stride);
    v.choice("retrieval", c.retrieval, kRetrievalNames);
    v.field("neighbours", c.neighbours);
    v.choice("retriever_start", c.retriever_start, kRetrieverStartNames);
    v.field("key_features", c.key_features);
    v.choice("score_norm", c.score_norm, kScoreNormNames);
    v.field("score_temperature", c.score_temperature);
    v.layers("cca_layers", c.cca_layers);
    v.choice("pool", c.pool, kPoolNames);
    v.field("cca_kv_norm", c.cca_kv_norm);
    v.choice("cca_position", c.cca_position, kPositionNames);
    v.choice("cca_start", c.cca_start, kStartNames);
    v.field("cca_value_shift", c.cca_value_shift);
    v.field("cca_match_scale", c.cca_match_scale);
    v.field("cca_output_scale", c.cca_output_scale);
    v.choice("cca_fuse", c.cca_fuse, kFuseNames);
    v.choice("cca_opt_out", c.cca_opt_out, kOptOutNames);
    v.choice("cca_residual", c.cca_residual, kResidualNames);
    v.field("gca_sink", c.gca_sink);
    v.field("augment", c.augment);
    v.choice("gate", c.gate, kGateNames);
    v.field("gate_floor", c.gate_floor);
    v.field("gate_scale_sqrt", c.gate_scale_sqrt);
    v.field("gate_horizon", c.gate_horizon);
    v.field("carry_neighbours", c.carry_neighbours);
    v.field("pointer_layer", c.pointer_layer);
    v.field("pointer_width", c.pointer_width);
    v.ways("read", c.reading);
    v.layers("memorizing_layers", c.memorizing_layers);
    v.field("memorizing_tokens", c.memorizing_tokens);
    v.field("memorizing_top_k", c.memorizing_top_k);
    v.field("memorizing_scale", c.memorizing_scale);
    v.layers("recurrent_layers", c.recurrent_layers);
    v.field("recurrent_states", c.recurrent_states);
    v.layers("griffin_layers", c.griffin_layers);
    v.field("griffin_width", c.griffin_width);
    v.field("griffin_gate_blocks", c.griffin_gate_blocks);
}

}  // namespace

std::string ModelConfig::to_json() const {
    Writer writer;
    visit(writer, *this);
    return writer.text();
}

ModelConfig ModelConfig::from_json(const std::string& text) {
    Reader reader(text);
    ModelConfig config;
    visit(reader, config);
    reader.refuse_unknown();
    config.validate_counts();  // the lists are made from them
    for (auto* layers : {&config.cca_layers, &config.memorizing_layers, &config.recurrent_layers,
                         &config.griffin_layers})
        resolve_layers(config, *layers);
    config.validate();
    return config;
}

}  // namespace rpt::model
