// Neighbours read through the upper layers: any pieces against one mask over the whole document.
#include <algorithm>

#include "lab/network/bf16_scope.h"
#include "lab/network/block_attention.h"
#include "lab/network/layers.h"
#include "lab/network/model_weights.h"
#include "lab/network/upper_reading.h"
#include "tests/unit/lab/engine/engine_fixture.h"

namespace rpt::engine {
namespace {

constexpr int64_t kBlocks = 5;

// A document, and stored states for the neighbours of its chunks.
struct Document {
    std::vector<int32_t> ids;
    std::vector<std::vector<std::pair<at::Tensor, at::Tensor>>> neighbours;  // chunk, successor
    at::Tensor logits;  // [T, V], from the twin
};

// None, one or two neighbours a chunk, some of them short or without a successor.
Document make_document(const model::RptModel& model, bool read) {
    const c10::NoGradGuard no_grad;
    const model::ModelConfig& c = model.config();
    const at::Tensor tokens = model::tiny_tokens(c, 1, kBlocks * c.stride);
    Document d;
    d.ids = to_ids(tokens[0]);
    std::vector<std::vector<at::Tensor>> texts;
    for (int64_t chunk = 0; chunk < kBlocks * c.chunks_per_block(); ++chunk) {
        d.neighbours.emplace_back();
        texts.emplace_back();
        for (int64_t i = 0; read && i < chunk % 3; ++i) {
            const int64_t rows = chunk % 4 == 2 ? c.chunk - 1 : c.chunk;
            const int64_t more = i == 1 ? 0 : c.chunk - chunk % 2;
            const at::Tensor states = at::randn({rows + more, c.dim});
            d.neighbours.back().emplace_back(states.narrow(0, 0, rows).contiguous(),
                                             states.narrow(0, rows, more).contiguous());
            texts.back().push_back(states * model.weights().state_scale);
        }
    }
    const at::Tensor low = model.lower_hidden(tokens)[0];
    at::Tensor sink;
    if (c.sink) {
        const int64_t bos = text::BpeTrainer().train(262)->bos();
        sink = model.lower_hidden(at::full({1, 1}, bos, at::kLong))[0];
    }
    d.logits = model.logits(model::upper_reading_slow(c, model.weights(), low, sink, texts));
    return d;
}

std::span<const float> numbers(const at::Tensor& t) {
    return {t.const_data_ptr<float>(), static_cast<size_t>(t.numel())};
}

void set_all(Stream& stream, const Document& d, std::span<const EncodedChunk> chunks) {
    for (const EncodedChunk& chunk : chunks) {
        std::vector<Neighbour> set;
        for (const auto& [states, successor] : d.neighbours[chunk.index])
            set.push_back({numbers(states), numbers(successor)});
        EXPECT_EQ(stream.set_neighbours(chunk.index, set).size(), set.size());
    }
}

// Furthest distance of any logit.
double distance(Stream& stream, const Document& d, size_t piece) {
    double most = 0;
    for (size_t p = 0; p < d.ids.size();) {
        const size_t n = std::min({piece, stream.room(), d.ids.size() - p});
        set_all(stream, d, stream.advance_lower(std::span(d.ids).subspan(p, n)));
        stream.advance_upper_rows([&](size_t first, std::span<const float> logits) {
            const int64_t vocab = d.logits.size(1), row = static_cast<int64_t>(p + first);
            const at::Tensor wanted =
                d.logits.narrow(0, row, static_cast<int64_t>(logits.size()) / vocab);
            most = std::max(most, furthest({logits.begin(), logits.end()}, floats(wanted)));
        });
        p += n;
    }
    return most;
}

TEST_F(EngineTest, upper_reading_equals_one_mask_over_the_document_for_any_pieces) {
    for (auto [name, config] : model::frozen_variants()) {
        if (!config.has_pointers()) continue;
        for (const bool carry : {true, false}) {
            config.carry_neighbours = carry;
            const model::RptModel model(with_bytes(config), 3);
            model::roughen(model);
            const auto engine = open(model);
            const Document d = make_document(model, true);
            for (const size_t piece : {size_t{100}, size_t{1}, size_t{3}, size_t{5}}) {
                EXPECT_LT(distance(*engine->new_stream(), d, piece), 1e-4)
                    << name << " by " << piece << " carry " << carry;
            }
            if (!carry) continue;
            // a copy goes on as the original would
            const auto stream = engine->new_stream();
            set_all(*stream, d, stream->advance_lower(std::span(d.ids).first(8)));
            stream->advance_upper({});
            const auto fork = stream->fork();
            std::vector<float> logits(262);
            fork->advance_lower(std::span(d.ids).subspan(8, 1));
            fork->advance_upper(logits);
            EXPECT_LT(furthest(logits, floats(d.logits[8])), 1e-4) << name;
        }
    }
}

TEST(upper_reading, a_neighbour_passes_as_in_its_own_document) {
    const c10::NoGradGuard no_grad;
    for (const auto& [name, config] : model::frozen_variants()) {
        if (!config.passes_neighbours()) continue;
        const model::RptModel model(config, 3);
        model::roughen(model);
        // the first token of the document is the sink, those behind it are the neighbour
        const int64_t n = std::min(2 * config.chunk, config.stride - 1);
        const at::Tensor document =
            model::tiny_tokens(config, 1, config.stride).narrow(1, 0, n + 1);
        std::vector<int64_t> layers;
        for (int64_t i = config.n_lower; i < config.layers(); ++i) layers.push_back(i);
        const std::vector<at::Tensor> hidden = model.hidden_after(document, layers);
        const at::Tensor low = hidden[0][0];
        const model::RopeTable rope(config, at::kCPU);
        const std::vector<model::FarRows> far = model::pass_neighbours(
            config, model.weights(), rope, low.narrow(0, 0, 1), {low.narrow(0, 1, n)});
        for (size_t i = 0; i < layers.size(); ++i) {
            const auto& w = model.weights().layers[static_cast<size_t>(layers[i])].attention;
            const model::Projected own = model::part_heads(
                config, model::project_heads(config, w,
                                             model::rms_norm(hidden[i], w.norm, config.norm_eps)));
            const at::Tensor turned =
                model::rotate(own.k, model::rotary_factors(config, -2 * config.chunk - 1, n + 1),
                              config.rope_pairing);
            EXPECT_LT((far[i].v - own.v[0].narrow(0, 1, n)).abs().max().item<double>(), 1e-5)
                << name << " layer " << layers[i];
            EXPECT_LT((far[i].k - turned[0].narrow(0, 1, n)).abs().max().item<double>(), 1e-5)
                << name << " layer " << layers[i];
        }
    }
}

TEST_F(EngineTest, products_in_bf16_are_near_and_leave_nothing_behind) {
    const model::ModelConfig config = with_bytes(model::frozen_variants()[0].second);
    const model::RptModel model(config, 3);
    model::roughen(model);
    const auto engine = open(model);
    const Document d = make_document(model, true);
    const std::vector<int32_t> next(d.ids.begin() + 1, d.ids.begin() + 6);
    const auto scores_of = [&] {
        std::vector<float> scores(5);
        const auto stream = engine->new_stream();
        set_all(*stream, d, stream->advance_lower(std::span(d.ids).first(5)));
        stream->advance_upper_scored(next, scores, {});
        return scores;
    };
    const std::vector<float> exact = scores_of();
    {
        const model::Bf16Scope products(at::kCPU, true);
        const double most = d.logits.abs().max().item<double>();
        for (const size_t piece : {size_t{100}, size_t{1}, size_t{3}}) {
            const double off = distance(*engine->new_stream(), d, piece);
            EXPECT_LT(off, 0.05 * most) << piece;
            if (piece != 1) {
                EXPECT_GT(off, 1e-4) << piece;
            }
        }
        run_torch([] { EXPECT_FALSE(c10::GradMode::is_enabled()); });
        const std::vector<float> rounded = scores_of();
        EXPECT_LT(furthest(rounded, exact), 0.05 * most);
        EXPECT_GT(furthest(rounded, exact), 1e-5);
    }
    forget_neighbours(*engine);  // that passed in bf16
    EXPECT_EQ(scores_of(), exact);
    EXPECT_LT(distance(*engine->new_stream(), d, 3), 1e-4);
}

TEST_F(EngineTest, upper_reading_is_the_same_after_its_memo_was_emptied) {
    const model::ModelConfig config = with_bytes(model::frozen_variants()[0].second);
    const model::RptModel model(config, 3);
    const auto engine = open(model);
    const Document d = make_document(model, true);
    EXPECT_LT(distance(*engine->new_stream(), d, 5), 1e-4);
    const auto& memo = dynamic_cast<const TorchEngine&>(*engine).upper_memo();
    EXPECT_GT(memo.bytes(), 0u);
    forget_neighbours(*engine);
    EXPECT_EQ(memo.bytes(), 0u);
    EXPECT_LT(distance(*engine->new_stream(), d, 5), 1e-4);
    EXPECT_GT(memo.bytes(), 0u);
}

TEST_F(EngineTest, upper_reading_matters_and_changes_nothing_without_neighbours) {
    const model::ModelConfig config = with_bytes(model::frozen_variants()[0].second);
    const model::RptModel model(config, 3);
    const auto engine = open(model);
    const Document with = make_document(model, true), without = make_document(model, false);
    EXPECT_GT((with.logits - without.logits).abs().max().item<double>(), 1e-2);
    EXPECT_LT(distance(*engine->new_stream(), without, 5), 1e-4);
}

TEST_F(EngineTest, upper_reading_of_opening_neighbours_reaches_the_first_tokens) {
    const model::ModelConfig config = with_bytes(model::frozen_variants()[0].second);
    const model::RptModel model(config, 3);
    const auto engine = open(model);
    const at::Tensor states = at::randn({config.chunk, config.dim});
    const Neighbour one{numbers(states), {}};
    const std::vector<int32_t> ids{9, 8, 7};
    const auto logits_of = [&](bool opening, size_t piece) {
        const auto stream = engine->new_stream();
        if (opening) stream->set_opening_neighbours({&one, 1});
        std::vector<float> logits(262);
        for (size_t at = 0; at < ids.size(); at += piece) {
            stream->advance_lower(std::span(ids).subspan(at, std::min(piece, ids.size() - at)));
            stream->advance_upper(logits);
        }
        return logits;
    };
    EXPECT_GT(furthest(logits_of(true, 3), logits_of(false, 3)), 1e-3);
    EXPECT_LT(furthest(logits_of(true, 3), logits_of(true, 1)), 1e-4);
}

TEST(upper_memo, keeps_what_was_used_last_within_its_bytes) {
    const auto passed = [](float value) {
        return PassedNeighbour{
            {at::full({4, 1, 8}, value, at::kFloat), at::full({4, 1, 8}, value, at::kFloat)}};
    };
    UpperMemo memo(3 * 256);  // three of them
    const std::vector<float> states{1, 2, 3, 4};
    int made = 0;
    const auto ask = [&](size_t first, size_t border) {
        const std::span<const float> all = std::span(states).subspan(first);
        const PassedNeighbour got = memo.get({all.first(border), all.subspan(border)}, [&] {
            ++made;
            return passed(float(10 * first + border));
        });
        return got.at(0).v[0][0][0].item<float>();
    };
    EXPECT_EQ(ask(0, 1), 1);
    EXPECT_EQ(ask(0, 2), 2);  // the same numbers with another border
    EXPECT_EQ(ask(1, 1), 11);
    EXPECT_EQ(made, 3);
    EXPECT_EQ(memo.bytes(), 3u * 256);
    EXPECT_EQ(ask(0, 1), 1);
    EXPECT_EQ(made, 3);
    EXPECT_EQ(ask(1, 2), 12);  // pushes out what was not asked for longest
    EXPECT_EQ(memo.bytes(), 3u * 256);
    EXPECT_EQ(ask(0, 1), 1);
    EXPECT_EQ(made, 4);
    EXPECT_EQ(ask(0, 2), 2);
    EXPECT_EQ(made, 5);
    UpperMemo small(100);
    small.get({states, {}}, [&] { return passed(0); });
    EXPECT_EQ(small.bytes(), 0u);
}

}  // namespace
}  // namespace rpt::engine
