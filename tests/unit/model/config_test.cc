#include "core/model/config.h"
#include "core/model/reading.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace rpt::model {
namespace {

TEST(config, json_round_trip_keeps_every_field) {
    ModelConfig c;
    c.vocab = 300;
    c.n_heads = 8;
    c.n_kv_heads = 2;
    c.ffn = FfnKind::kSwiglu;
    c.rope_pairing = RopePairing::kHalves;
    c.rope_theta = 5e5;
    c.tied_output = false;
    c.cca_layers = {3, 5};
    c.pool = PoolRule::kPaper;
    c.retrieval = RetrievalKind::kGiven;
    c.cca_start = CcaStart::kCopy;
    c.cca_position = CcaPosition::kRope;
    c.gate = GateKind::kMax;
    c.gate_floor = 0.25;
    c.carry_neighbours = false;
    c.retriever_start = RetrieverStart::kUsual;
    c.key_features = 640;
    c.cca_opt_out = CcaOptOut::kZeroSlot;
    c.cca_residual = CcaResidual::kBypass;
    c.gca_sink = false;
    c.memorizing_layers = {4};
    c.recurrent_layers = {3};
    c.griffin_layers = {4, 5};
    c.rope_scaling = RopeScaling::kLlama3;
    c.rope_factor = 32;
    c.rope_low_frequency = 1.5;
    c.rope_high_frequency = 3;
    c.rope_original_context = 4096;
    c.attention_bias = true;
    c.query_key_norm = true;
    c.sink = true;
    c.pointer_layer = 3;
    c.pointer_width = 96;
    EXPECT_EQ(ModelConfig::from_json(c.to_json()), c);
}

TEST(config, missing_keys_keep_their_defaults) {
    ModelConfig c;
    c.dim = 128;
    EXPECT_EQ(ModelConfig::from_json(R"({"dim": 128})"), c);
}

TEST(config, layers_count_from_the_top_or_name_the_upper_half) {
    const auto of = [](const char* layers) {
        const std::string json =
            std::string(R"({"n_lower": 4, "n_upper": 3, "cca_layers": )") + layers + "}";
        return ModelConfig::from_json(json).cca_layers;
    };
    EXPECT_EQ(of("[-2, -1]"), (std::vector<int64_t>{5, 6}));
    EXPECT_EQ(of("\"upper\""), (std::vector<int64_t>{5, 6}));
    EXPECT_EQ(of("[4, -1]"), (std::vector<int64_t>{4, 6}));
}

std::string message_of(const std::string& json) {
    try {
        ModelConfig::from_json(json);
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kArgument);
        return error.what();
    }
    return "";
}

TEST(config, bad_fields_are_refused_by_name) {
    const std::pair<const char*, const char*> cases[] = {
        {R"({"depth": 3})", "'depth'"},
        {R"({"dim": "big"})", "'dim'"},
        {R"({"dim": -4})", "'dim'"},
        {R"({"ffn": "relu"})", "'ffn'"},
        {R"({"stride": 100, "chunk": 64})", "'stride'"},
        {R"({"n_heads": 6, "n_kv_heads": 4})", "'n_kv_heads'"},
        {R"({"head_dim": 33})", "'head_dim'"},
        {R"({"cca_layers": [1]})", "'cca_layers'"},
        {R"({"cca_layers": [4, 4]})", "'cca_layers'"},
        {R"({"cca_layers": [4], "retrieval": "none"})", "'cca_layers'"},
        {R"({"cca_layers": "lower"})", "'cca_layers'"},
        {R"({"cca_layers": [-9]})", "'cca_layers'"},
        {R"({"retrieval": "gca", "cca_layers": [4]})", "'cca_fuse'"},
        {R"({"retrieval": "gca", "cca_layers": [4], "cca_fuse": "weighted"})", "'augment'"},
        {R"({"key_features": 512, "score_norm": "cosine"})", "'score_norm'"},
        {R"({"griffin_width": 100})", "'griffin_gate_blocks'"},
        {R"({"recurrent_layers": [2], "memorizing_layers": [2]})", "'recurrent_layers'"},
        {R"({"norm_eps": -1})", "'norm_eps'"},
        {R"({"rope_scaling": "yarn"})", "'rope_scaling'"},
        {R"({"rope_factor": 0.5})", "'rope_factor'"},
        {R"({"rope_low_frequency": 4})", "'rope_high_frequency'"},
        {R"({"rope_original_context": 0})", "'rope_original_context'"},
        {R"({"sink": true, "null_self_kv": true})", "'sink'"},
        {R"({"pointer_layer": 7})", "'pointer_layer'"},
        {R"({"pointer_layer": -1})", "'pointer_layer'"},
        {R"({"pointer_layer": 5, "cca_layers": [4]})", "'pointer_layer'"},
        {R"({"pointer_width": 0})", "'pointer_width'"},
        {R"({"read": "upper"})", "'retrieval'"},
        {R"({"read": "cca"})", "'cca_layers'"},
        {R"({"read": "copy"})", "'pointer_layer'"},
        {R"({"read": "text"})", "'pointer_layer'"},
        {R"({"read": "copy, upper", "retrieval": "pointer", "pointer_layer": 4})", "'read'"},
        {R"({"read": 4})", "'read'"},
        {R"({"retrieval": "pointer"})", "'pointer_layer'"},
        {R"({"retrieval": "pointer", "pointer_layer": 4, "cca_layers": [4]})", "'cca_layers'"},
        {R"({"retrieval": "pointer", "pointer_layer": 4, "key_features": 8})", "'key_features'"},
        {R"([1])", "JSON"},
        {"{", "JSON"},
    };
    for (const auto& [json, wanted] : cases) {
        EXPECT_NE(message_of(json).find(wanted), std::string::npos) << json;
    }
}

TEST(config, a_pointer_model_has_chunk_keys_of_the_pointers_width_and_no_encoder) {
    ModelConfig c;
    c.retrieval = RetrievalKind::kPointer;
    c.pointer_layer = 5;
    c.pointer_width = 96;
    c.reading = kReadUpper | kReadCopy;
    EXPECT_EQ(ModelConfig::from_json(c.to_json()), c);
    EXPECT_TRUE(c.reads_neighbours());
    EXPECT_EQ(c.key_width(), 96);
    EXPECT_TRUE(c.has_retriever() && c.has_pointers());
    EXPECT_FALSE(c.has_chunk_keys() || c.has_memory() || c.has_gate());
    // packages say so by name; older ones have a flag, and most say nothing
    EXPECT_NE(c.to_json().find(R"("read":"copy,upper")"), std::string::npos);
    const std::string frozen = R"({"retrieval": "pointer", "pointer_layer": 4)";
    EXPECT_EQ(ModelConfig::from_json(frozen + R"(, "read_upper": true})").reading, kReadUpper);
    EXPECT_EQ(ModelConfig::from_json(frozen + R"(, "read_upper": false})").reading, 0u);
    EXPECT_EQ(ModelConfig::from_json(frozen + "}").reading, 0u);
    // pointers beside a retriever of RPT leave its keys as they are
    c.retrieval = RetrievalKind::kLambdaRank;
    c.reading = kReadCopy;
    c.validate();
    EXPECT_EQ(c.key_width(), c.dim);
    EXPECT_TRUE(c.has_chunk_keys() && c.has_pointers());
}

// Layer numbers are made from the counts, which may be anything.
TEST(config, counts_of_layers_that_cannot_be_are_refused_before_they_are_used) {
    for (const char* layers : {"", R"(, "cca_layers": "upper")", R"(, "cca_layers": [-1])"}) {
        const std::string more = layers + std::string("}");
        EXPECT_NE(message_of(R"({"n_upper": 4611686018427387904)" + more).find("'n_upper'"),
                  std::string::npos);
        EXPECT_NE(message_of(R"({"n_lower": 9223372036854775807)" + more).find("'n_lower'"),
                  std::string::npos);
        EXPECT_NE(message_of(R"({"n_lower": -9223372036854775808, "n_upper": 3)" + more)
                      .find("'n_lower'"),
                  std::string::npos);
    }
}

TEST(config, numbers_beyond_64_bits_do_not_wrap) {
    EXPECT_NE(message_of(R"({"dim": 18446744073709551744})").find("'dim'"), std::string::npos);
    EXPECT_NE(message_of(R"({"vocab": 18446744073709551615})").find("an integer"),
              std::string::npos);
    // -1 would be the last layer
    EXPECT_NE(message_of(R"({"cca_layers": [18446744073709551615]})").find("'cca_layers'"),
              std::string::npos);
}

// Spec appendix A.1.
TEST(config, last_retrievable_matches_the_golden_table) {
    ModelConfig c;
    c.chunk = 64;
    c.stride = 1024;
    const int64_t chunks[] = {15, 16, 31, 32, 47, 48, 63, 64, 100, 255};
    const int64_t window_start[] = {-3, 13, 13, 29, 29, 45, 45, 61, 93, 237};
    const int64_t disjoint[] = {-18, -2, -2, 14, 14, 30, 30, 46, 78, 222};
    const int64_t paper[] = {-17, -16, -1, 0, 15, 16, 31, 32, 68, 223};
    for (size_t i = 0; i < 10; ++i) {
        c.pool = PoolRule::kWindowStart;
        EXPECT_EQ(last_retrievable(c, chunks[i]), window_start[i]);
        c.pool = PoolRule::kDisjoint;
        EXPECT_EQ(last_retrievable(c, chunks[i]), disjoint[i]);
        c.pool = PoolRule::kPaper;
        EXPECT_EQ(last_retrievable(c, chunks[i]), paper[i]);
    }
    c.pool = PoolRule::kWindowStart;
    c.stride = 4096;
    EXPECT_EQ(last_retrievable(c, 63), -3);
    EXPECT_EQ(last_retrievable(c, 255), 189);
}

// c_{j+1} must never be the chunk that is being predicted.
TEST(config, last_retrievable_leaves_the_future_alone) {
    for (const PoolRule rule : {PoolRule::kDisjoint, PoolRule::kWindowStart, PoolRule::kPaper}) {
        for (const int64_t per_block : {1, 2, 4}) {
            ModelConfig c;
            c.pool = rule;
            c.stride = per_block * c.chunk;
            for (int64_t i = 0; i < 64; ++i) EXPECT_LE(last_retrievable(c, i) + 1, i);
        }
    }
}

}  // namespace
}  // namespace rpt::model
