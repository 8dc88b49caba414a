#include "core/model/config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace rpt::model {
namespace {

using Json = nlohmann::ordered_json;

template <typename E>
using Names = std::initializer_list<std::pair<E, const char*>>;

// Stored in packages: never rename a value.
const Names<FfnKind> kFfnNames = {{FfnKind::kGelu, "gelu"}, {FfnKind::kSwiglu, "swiglu"}};
const Names<RopePairing> kPairingNames = {{RopePairing::kInterleaved, "interleaved"},
                                          {RopePairing::kHalves, "halves"}};
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
                                              {RetrievalKind::kLambdaRank, "lambda_rank"}};

[[noreturn]] void refuse(const std::string& text) {
    throw Error(Status::kArgument, "rpt", "model config: " + text);
}

// Either end of the JSON: one walk over the fields serves writing and reading, so that they cannot
// drift apart.
class Writer {
  public:
    template <typename T>
    void field(const char* name, const T& value) {
        json_[name] = value;
    }
    template <typename E>
    void choice(const char* name, const E& value, const Names<E>& names) {
        for (const auto& [known, text] : names) {
            if (known == value) json_[name] = text;
        }
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

    void field(const char* name, int64_t& value) {
        read(
            name, value, [](const Json& j) { return j.is_number_integer(); }, "an integer");
    }
    void field(const char* name, double& value) {
        read(
            name, value, [](const Json& j) { return j.is_number(); }, "a number");
    }
    void field(const char* name, bool& value) {
        read(
            name, value, [](const Json& j) { return j.is_boolean(); }, "true or false");
    }
    void field(const char* name, std::vector<int64_t>& value) {
        read(
            name, value,
            [](const Json& j) {
                return j.is_array() && std::all_of(j.begin(), j.end(), [](const Json& e) {
                           return e.is_number_integer();
                       });
            },
            "a list of integers");
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
    v.field("norm_eps", c.norm_eps);
    v.field("tied_output", c.tied_output);
    v.field("final_norm", c.final_norm);
    v.field("null_self_kv", c.null_self_kv);
    v.field("scale_logits", c.scale_logits);
    v.field("scale_embedding", c.scale_embedding);
    v.field("chunk", c.chunk);
    v.field("stride", c.stride);
    v.choice("retrieval", c.retrieval, kRetrievalNames);
    v.field("neighbours", c.neighbours);
    v.field("cca_layers", c.cca_layers);
    v.choice("pool", c.pool, kPoolNames);
    v.field("cca_kv_norm", c.cca_kv_norm);
    v.choice("cca_position", c.cca_position, kPositionNames);
    v.choice("cca_start", c.cca_start, kStartNames);
    v.field("cca_value_shift", c.cca_value_shift);
    v.field("cca_match_scale", c.cca_match_scale);
    v.field("cca_output_scale", c.cca_output_scale);
    v.field("augment", c.augment);
    v.choice("gate", c.gate, kGateNames);
    v.field("gate_floor", c.gate_floor);
    v.field("gate_scale_sqrt", c.gate_scale_sqrt);
    v.field("gate_horizon", c.gate_horizon);
    v.field("carry_neighbours", c.carry_neighbours);
}

void check_range(const char* name, int64_t value, int64_t low, int64_t high) {
    if (value < low || value > high) {
        refuse(std::string("field '") + name + "' is " + std::to_string(value) + ", must be " +
               std::to_string(low) + " to " + std::to_string(high));
    }
}

void check_range(const char* name, double value, double low, double high) {
    if (!(value >= low && value <= high)) {  // also refuses NaN
        refuse(std::string("field '") + name + "' is " + std::to_string(value) + ", must be " +
               std::to_string(low) + " to " + std::to_string(high));
    }
}

}  // namespace

bool ModelConfig::is_cca_layer(int64_t layer) const {
    return std::find(cca_layers.begin(), cca_layers.end(), layer) != cca_layers.end();
}

bool ModelConfig::has_gate() const {
    return gate != GateKind::kNone && has_cca() && has_retriever();
}

void ModelConfig::validate() const {
    check_range("vocab", vocab, 2, int64_t{1} << 24);
    check_range("dim", dim, 2, 1 << 16);
    check_range("n_lower", n_lower, 1, 1024);
    check_range("n_upper", n_upper, 1, 1024);
    check_range("n_heads", n_heads, 1, 1024);
    check_range("n_kv_heads", n_kv_heads, 1, n_heads);
    if (n_heads % n_kv_heads != 0) refuse("field 'n_kv_heads' must divide n_heads");
    check_range("head_dim", head_dim, 2, 1024);
    if (head_dim % 2 != 0) refuse("field 'head_dim' must be even");
    check_range("ffn_dim", ffn_dim, 1, 1 << 20);
    check_range("rope_theta", rope_theta, 1.0, 1e12);
    check_range("norm_eps", norm_eps, 0.0, 1.0);
    check_range("chunk", chunk, 1, 1 << 16);
    check_range("stride", stride, chunk, 1 << 20);
    if (stride % chunk != 0) refuse("field 'stride' must be a multiple of chunk");
    check_range("neighbours", neighbours, 1, 64);
    check_range("cca_match_scale", cca_match_scale, 0.0, 100.0);
    check_range("cca_output_scale", cca_output_scale, 0.0, 100.0);
    check_range("gate_floor", gate_floor, 0.0, 1.0);
    check_range("gate_horizon", gate_horizon, 1, 1 << 20);
    if (retrieval == RetrievalKind::kNone && !cca_layers.empty()) {
        refuse("field 'cca_layers' must be empty where retrieval is none");
    }
    int64_t previous = n_lower - 1;
    for (const int64_t layer : cca_layers) {
        check_range("cca_layers", layer, n_lower, layers() - 1);
        if (layer <= previous) refuse("field 'cca_layers' must ascend without repeats");
        previous = layer;
    }
}

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
    config.validate();
    return config;
}

int64_t last_retrievable(const ModelConfig& config, int64_t i) {
    const int64_t per_block = config.chunks_per_block();
    const int64_t block = i / per_block;
    switch (config.pool) {
        case PoolRule::kDisjoint:
            // c_j and c_{j+1} both lie before the attention window
            return (block - 1) * per_block - 2;
        case PoolRule::kWindowStart:
            return block * per_block - 3;
        case PoolRule::kPaper:
            return i - 2 * per_block;
    }
    return -1;
}

}  // namespace rpt::model
