#include <algorithm>

#include "base/error.h"
#include "tests/unit/engine/engine_fixture.h"

namespace rpt::engine {
namespace {

// Asks for the chunks of every block several times on the way, with `steps` more tokens known each
// time; keeps the first answer for each complete chunk.
std::vector<EncodedChunk> encode_in_steps(const Engine& engine, const std::vector<int32_t>& ids,
                                          size_t step) {
    const size_t stride = static_cast<size_t>(engine.config().stride);
    const auto document = engine.new_document();
    std::vector<EncodedChunk> out;
    for (size_t begin = 0; begin < ids.size(); begin += stride) {
        const size_t block = std::min(stride, ids.size() - begin);
        for (size_t known = std::min(step, block);; known = std::min(known + step, block)) {
            EXPECT_EQ(document->position(), begin);
            for (EncodedChunk& chunk :
                 document->encode_block(std::span(ids).subspan(begin, known))) {
                const bool complete =
                    chunk.n_tokens == static_cast<uint32_t>(engine.config().chunk);
                const bool last = known == block && begin + block == ids.size();
                if (chunk.index == out.size() && (complete || last))
                    out.push_back(std::move(chunk));
            }
            if (known == block) break;
        }
    }
    return out;
}

TEST_F(EngineTest, open_refuses_a_memory_of_another_kind_by_its_name) {
    std::map<std::string, std::string> refused;
    for (const auto& [name, config] : model::all_variants()) {
        if (unread_part(config).empty()) continue;
        const std::string path = save(model::RptModel(with_bytes(config), 3));
        try {
            open_torch_engine(path, {});
            ADD_FAILURE() << name << " was opened";
        } catch (const Error& error) {
            EXPECT_EQ(error.status(), Status::kUnsupported) << name;
            refused[name] = error.what();
        }
    }
    EXPECT_EQ(refused["memorizing"],
              "model package: layer 2 attends to far keys (memorizing_layers), which the library "
              "does not read; evaluate it with rpt-lab eval");
    EXPECT_NE(refused["block_recurrent"].find("layer 1 is block-recurrent"), std::string::npos);
    EXPECT_NE(refused["griffin"].find("layer 2 has a gated recurrence"), std::string::npos);
    EXPECT_NE(refused["gca"].find("retrieval scores weigh"), std::string::npos);
    EXPECT_NE(refused["rpt_bypass_zero_slot"].find("past the residual"), std::string::npos);
}

TEST_F(EngineTest, document_is_bit_equal_for_any_flush_pattern) {
    for (auto [name, config] : readable_variants()) {
        const model::RptModel model(with_bytes(config), 3);
        const auto engine = open(model);
        const std::vector<int32_t> ids =
            to_ids(model::tiny_tokens(model.config(), 1, 4 * model.config().stride + 6)[0]);
        const auto whole = encode_in_steps(*engine, ids, 1000);
        ASSERT_EQ(whole.size(), (ids.size() + 3) / 4);
        EXPECT_EQ(whole.back().n_tokens, 2u);
        for (const size_t step : {size_t{1}, size_t{3}, size_t{4}, size_t{5}}) {
            const auto pieces = encode_in_steps(*engine, ids, step);
            ASSERT_EQ(pieces.size(), whole.size());
            for (size_t i = 0; i < whole.size(); ++i) {
                EXPECT_EQ(pieces[i].key, whole[i].key)
                    << name << " step " << step << " chunk " << i;
                EXPECT_EQ(pieces[i].query, whole[i].query) << name;
                EXPECT_EQ(pieces[i].states, whole[i].states) << name;
            }
        }
    }
}

TEST_F(EngineTest, document_equals_the_training_forward) {
    const c10::NoGradGuard no_grad;
    for (auto [name, config] : readable_variants()) {
        const model::RptModel model(with_bytes(config), 3);
        if (!model.config().has_memory()) continue;
        const auto engine = open(model);
        const at::Tensor tokens = model::tiny_tokens(model.config(), 1, 4 * model.config().stride);
        const model::LowerOutput low = model.lower(tokens);
        for (const EncodedChunk& chunk : encode_in_steps(*engine, to_ids(tokens[0]), 1000)) {
            const int64_t i = static_cast<int64_t>(chunk.index);
            EXPECT_LT(furthest(chunk.states, floats(low.states[0][i])), 1e-4) << name;
            if (!low.keys.defined()) continue;
            EXPECT_LT(furthest(chunk.key, floats(low.keys[0][i])), 1e-4) << name;
            EXPECT_LT(furthest(chunk.query, floats(low.queries[0][i])), 1e-4) << name;
        }
    }
}

TEST_F(EngineTest, document_refuses_more_than_a_block) {
    const model::RptModel model(with_bytes(model::tiny_config()), 3);
    const auto document = open(model)->new_document();
    const std::vector<int32_t> ids(9, 1);
    EXPECT_THROW(document->encode_block(ids), Error);
    EXPECT_TRUE(document->encode_block({}).empty());
    EXPECT_EQ(document->position(), 0u);
}

}  // namespace
}  // namespace rpt::engine
