// A segment in one pass against a stream that reads the same tokens block by block.
#include <algorithm>

#include "base/error.h"
#include "core/engine/pooled_pointer.h"
#include "lab/network/retriever.h"
#include "tests/unit/lab/engine/engine_fixture.h"

namespace rpt::engine {
namespace {

std::vector<int32_t> ids_of(const model::ModelConfig& c, size_t n, uint64_t seed = 5) {
    return to_ids(model::tiny_tokens(c, 1, static_cast<int64_t>(n), seed)[0]);
}

// The plain twin: the lower half of a stream, block by block. Chunks that are whole.
std::vector<EncodedChunk> encode_by_blocks(const Engine& engine, std::span<const int32_t> ids) {
    const auto stream = engine.new_stream();
    std::vector<EncodedChunk> out;
    while (!ids.empty()) {
        const size_t n = std::min(stream->room(), ids.size()), before = out.size();
        for (EncodedChunk& chunk : stream->advance_lower(ids.first(n))) {
            stream->set_neighbours(chunk.index, {});
            out.push_back(std::move(chunk));
        }
        stream->advance_upper({});
        std::vector<float> keys, queries;
        stream->pointers(keys, queries);
        const size_t width = size_t(engine.config().pointer_width);
        const size_t row = size_t(engine.config().chunk) * width;
        for (size_t i = before; !keys.empty() && i < out.size(); ++i) {
            const float* of_chunk = keys.data() + (i - before) * row;
            out[i].pointers.assign(of_chunk, of_chunk + row);
            if (engine.config().retrieval == model::RetrievalKind::kPointer)
                out[i].key = out[i].query = pooled_pointer(out[i].pointers, width);
        }
        ids = ids.subspan(n);
    }
    return out;
}

void expect_near(const EncodedChunk& a, const EncodedChunk& b, const std::string& name) {
    EXPECT_EQ(a.n_tokens, b.n_tokens) << name;
    EXPECT_LT(furthest(a.states, b.states), 1e-4) << name;
    EXPECT_LT(furthest(a.key, b.key), 1e-4) << name;
    EXPECT_LT(furthest(a.query, b.query), 1e-4) << name;
    EXPECT_LT(furthest(a.pointers, b.pointers), 1e-4) << name;
}

TEST_F(EngineTest, segment_equals_the_stream_block_by_block) {
    for (auto [name, config] : readable_variants()) {
        const model::RptModel model(with_bytes(config), 3);
        model::roughen(model);
        const auto engine = open(model);
        for (const size_t n : {size_t{1}, size_t{4}, size_t{6}, size_t{8}, size_t{9}, size_t{12},
                               size_t{32}, size_t{36}, size_t{39}}) {
            const auto ids = ids_of(model.config(), n);
            const auto wanted = encode_by_blocks(*engine, ids);
            const auto chunks = engine->encode_segment({}, ids);
            ASSERT_EQ(wanted.size(), n / 4);
            ASSERT_EQ(chunks.size(), (n + 3) / 4);
            for (size_t i = 0; i < wanted.size(); ++i) {
                EXPECT_EQ(chunks[i].index, i);
                expect_near(chunks[i], wanted[i], name + " of " + std::to_string(n));
            }
            EXPECT_EQ(chunks.back().index, chunks.size() - 1);
            EXPECT_EQ(chunks.back().n_tokens, n % 4 == 0 ? 4 : n % 4);
        }
    }
}

TEST_F(EngineTest, segment_with_context_equals_the_tail_of_both) {
    for (auto [name, config] : readable_variants()) {
        const model::RptModel model(with_bytes(config), 3);
        model::roughen(model);
        const auto engine = open(model);
        const auto ids = ids_of(model.config(), 46);
        for (const size_t context : {size_t{4}, size_t{8}, size_t{20}}) {
            const auto wanted = encode_by_blocks(*engine, ids);
            const auto chunks = engine->encode_segment(std::span(ids).first(context),
                                                       std::span(ids).subspan(context));
            ASSERT_EQ(chunks.size(), wanted.size() + 1 - context / 4);
            EXPECT_EQ(chunks.back().n_tokens, 2u);
            for (size_t i = 0; i + 1 < chunks.size(); ++i) {
                EXPECT_EQ(chunks[i].index, i);
                expect_near(chunks[i], wanted[context / 4 + i],
                            name + " after " + std::to_string(context));
            }
        }
    }
}

TEST_F(EngineTest, segment_ends_with_a_chunk_that_stands_for_its_tokens_alone) {
    for (auto [name, config] : readable_variants()) {
        const model::RptModel model(with_bytes(config), 3);
        model::roughen(model);
        const auto engine = open(model);
        const auto ids = ids_of(model.config(), 26);
        const auto whole = engine->encode_segment({}, ids);
        ASSERT_EQ(whole.size(), 7u);
        // By itself, behind all that stands before it.
        const auto alone =
            engine->encode_segment(std::span(ids).first(24), std::span(ids).subspan(24));
        ASSERT_EQ(alone.size(), 1u);
        EXPECT_EQ(alone[0].n_tokens, 2u);
        expect_near(alone[0], whole[6], name);
        if (!model.config().has_memory()) continue;
        EXPECT_EQ(whole[6].states.size(), 2 * static_cast<size_t>(model.config().dim));
    }
}

TEST_F(EngineTest, segment_of_a_frozen_model_has_scaled_states_and_pointers) {
    const c10::NoGradGuard no_grad;
    for (auto [name, config] : model::frozen_variants()) {
        const model::RptModel model(with_bytes(config), 3);
        if (!model.config().has_pointers()) continue;
        model::roughen(model);
        const model::ModelConfig& c = model.config();
        const auto engine = open(model);
        const at::Tensor tokens = model::tiny_tokens(c, 1, 4 * c.stride);
        const auto hidden = [&](int64_t layer) {
            return model.hidden_after(tokens, {&layer, 1})[0][0].view({-1, c.chunk, c.dim});
        };
        const at::Tensor states = hidden(c.n_lower), pointed = hidden(c.pointer_layer);
        for (const EncodedChunk& chunk : engine->encode_segment({}, to_ids(tokens[0]))) {
            const int64_t i = static_cast<int64_t>(chunk.index);
            const at::Tensor back =
                at::from_blob(const_cast<float*>(chunk.states.data()), {c.chunk, c.dim}) *
                model.weights().state_scale;
            EXPECT_LT(furthest(floats(back), floats(states[i])), 1e-4) << name;
            const at::Tensor rows = at::linear(pointed[i] - model.weights().pointer->mean,
                                               model.weights().pointer->key);
            const at::Tensor units = rows / rows.norm(2, {-1}, true);
            EXPECT_LT(furthest(chunk.pointers, floats(units)), 1e-4) << name;
            const at::Tensor mean = units.mean(0);
            EXPECT_LT(furthest(chunk.key, floats(mean / mean.norm())), 1e-4) << name;
            EXPECT_EQ(chunk.key, chunk.query);
        }
    }
}

TEST(pooled_pointer, is_a_unit_vector_or_zeros) {
    const std::vector<float> rows{3, 0, 0, 4}, opposite{1, 0, -1, 0};
    EXPECT_LT(furthest(pooled_pointer(rows, 2), {0.6f, 0.8f}), 1e-6);
    EXPECT_EQ(pooled_pointer(opposite, 2), std::vector<float>({0, 0}));
    EXPECT_TRUE(pooled_pointer({}, 2).empty());
}

TEST_F(EngineTest, segment_equals_the_training_forward) {
    const c10::NoGradGuard no_grad;
    for (auto [name, config] : readable_variants()) {
        const model::RptModel model(with_bytes(config), 3);
        if (!model.config().has_memory()) continue;
        const auto engine = open(model);
        const at::Tensor tokens = model::tiny_tokens(model.config(), 1, 4 * model.config().stride);
        model::LowerOutput low = model.lower(tokens);
        if (low.queries.defined())  // not yet weighed by what the document holds
            low.queries =
                model::chunk_query(model.config(), *model.weights().retriever, low.states);
        for (const EncodedChunk& chunk : engine->encode_segment({}, to_ids(tokens[0]))) {
            const int64_t i = static_cast<int64_t>(chunk.index);
            EXPECT_LT(furthest(chunk.states, floats(low.states[0][i])), 1e-4) << name;
            if (!low.keys.defined()) continue;
            EXPECT_LT(furthest(chunk.key, floats(low.keys[0][i])), 1e-4) << name;
            EXPECT_LT(furthest(chunk.query, floats(low.queries[0][i])), 1e-4) << name;
        }
    }
}

TEST_F(EngineTest, segment_reads_its_context) {
    const model::RptModel model(with_bytes(model::tiny_config()), 3);
    const auto engine = open(model);
    const auto ids = ids_of(model.config(), 12), other = ids_of(model.config(), 8, 6);
    const auto with = engine->encode_segment(other, ids), without = engine->encode_segment({}, ids);
    EXPECT_GT(furthest(with[0].states, without[0].states), 1e-3);
}

TEST_F(EngineTest, segment_is_bit_equal_every_time) {
    for (auto [name, config] : readable_variants()) {
        const model::RptModel model(with_bytes(config), 3);
        const auto engine = open(model);
        const auto ids = ids_of(model.config(), 45), context = ids_of(model.config(), 12, 6);
        const auto first = engine->encode_segment(context, ids);
        for (int round = 0; round < 3; ++round) {
            engine->encode_segment({}, ids_of(model.config(), 100 * size_t(round) + 7));
            const auto again = engine->encode_segment(context, ids);
            ASSERT_EQ(again.size(), first.size());
            for (size_t i = 0; i < first.size(); ++i) {
                EXPECT_EQ(again[i].key, first[i].key) << name;
                EXPECT_EQ(again[i].query, first[i].query) << name;
                EXPECT_EQ(again[i].states, first[i].states) << name;
            }
        }
    }
}

TEST_F(EngineTest, segment_refuses_odd_contexts_and_unknown_tokens) {
    const model::RptModel model(with_bytes(model::tiny_config()), 3);
    const auto engine = open(model);
    const std::vector<int32_t> five(5, 1), four(4, 1), wrong{1, 262};
    const auto refused = [&](std::span<const int32_t> context, std::span<const int32_t> tokens) {
        try {
            engine->encode_segment(context, tokens);
        } catch (const Error& error) {
            return error.status() == Status::kArgument;
        }
        return false;
    };
    EXPECT_TRUE(refused(five, four));
    EXPECT_TRUE(refused(four, wrong));
    EXPECT_TRUE(refused({}, wrong));
    EXPECT_TRUE(engine->encode_segment({}, {}).empty());
    EXPECT_TRUE(engine->encode_segment(four, {}).empty());
}

}  // namespace
}  // namespace rpt::engine
