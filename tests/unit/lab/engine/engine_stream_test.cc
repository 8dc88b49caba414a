// Spec S6: the whole document at once, by windows, in pieces and token by token give the same
// numbers.
#include <algorithm>
#include <functional>

#include "base/error.h"
#include "lab/network/model_weights.h"
#include "lab/network/pointers.h"
#include "tests/unit/lab/engine/engine_fixture.h"

namespace rpt::engine {
namespace {

// A document with neighbours, and what the whole-document forward says about it.
struct Reference {
    std::vector<int32_t> ids;
    at::Tensor neighbours, states, logits, log_probs, keys, scores, pointed, pointers, asking;
    std::vector<int32_t> next;
};

Reference reference(const model::RptModel& model, int64_t blocks) {
    const c10::NoGradGuard no_grad;
    const model::ModelConfig& c = model.config();
    Reference r;
    const at::Tensor tokens = model::tiny_tokens(c, 1, blocks * c.stride);
    r.ids = to_ids(tokens[0]);
    r.neighbours = model::tiny_neighbours(c, 1, blocks * c.chunks_per_block(), 3);
    const model::LowerOutput low = model.lower(tokens);
    r.states = low.states;
    r.keys = low.keys;
    if (c.has_chunk_keys()) r.scores = model.retrieval_scores(low)[0];
    if (c.has_pointers()) {
        const at::Tensor h = model.hidden_after(tokens, {&c.pointer_layer, 1})[0][0];
        r.pointers = model::pointer_keys(*model.weights().pointer, h);
        r.asking = model::pointer_queries(*model.weights().pointer, h);
    }
    if (c.retrieval == model::RetrievalKind::kPointer) {
        r.states = (low.hidden / model.weights().state_scale).view({1, -1, c.chunk, c.dim});
        if (c.points_low()) {
            const at::Tensor mean = r.pointers.view({1, -1, c.chunk, c.pointer_width}).mean(2);
            r.keys = mean / mean.norm(2, {-1}, true);
        }
    }
    const at::Tensor hidden = model.upper(low, r.neighbours);
    r.logits = model.logits(hidden)[0];
    const at::Tensor targets = at::roll(tokens, -1, 1);
    r.next = to_ids(targets[0]);
    r.log_probs = model.token_nll(hidden, targets)[0].neg();
    return r;
}

std::vector<Neighbour> neighbours_of(const Reference& r, uint64_t chunk) {
    std::vector<Neighbour> out;
    if (!r.neighbours.defined()) return out;
    const at::Tensor row = r.neighbours[0][static_cast<int64_t>(chunk)];
    const int64_t size = r.states[0][0].numel();
    for (int64_t k = 0; k < row.size(0); ++k) {
        const int64_t j = row[k].item<int64_t>();
        if (j < 0) continue;
        const float* base = r.states.const_data_ptr<float>();
        out.push_back(
            {{base + j * size, static_cast<size_t>(size)},
             {base + (j + 1) * size, static_cast<size_t>(size)},
             r.scores.defined() ? r.scores[static_cast<int64_t>(chunk)][j].item<float>() : 0.0f});
    }
    return out;
}

void expect_pointers(const Stream& stream, const Reference& r, size_t begin, size_t n,
                     const std::string& name) {
    std::vector<float> keys{1}, queries{1};
    stream.pointers(keys, queries);
    if (!r.pointers.defined()) {
        EXPECT_TRUE(keys.empty() && queries.empty());
        return;
    }
    const auto rows = [&](const at::Tensor& t) {
        return floats(t.narrow(0, static_cast<int64_t>(begin), static_cast<int64_t>(n)));
    };
    EXPECT_LT(furthest(keys, rows(r.pointers)), 1e-4) << name << " from token " << begin;
    EXPECT_LT(furthest(queries, rows(r.asking)), 1e-4) << name << " from token " << begin;
}

// Feeds ids [begin, end) in runs of `piece` tokens (or to the end of the block) and compares.
void feed(Stream& stream, const Reference& r, size_t begin, size_t end, size_t piece, bool scored,
          const std::string& name) {
    const size_t vocab = static_cast<size_t>(r.logits.size(1));
    std::vector<float> logits(vocab), log_probs;
    for (size_t p = begin; p < end;) {
        const size_t n = std::min({piece, stream.room(), end - p});
        for (const EncodedChunk& chunk : stream.advance_lower(std::span(r.ids).subspan(p, n))) {
            if (r.states.defined()) {
                EXPECT_LT(
                    furthest(chunk.states, floats(r.states[0][static_cast<int64_t>(chunk.index)])),
                    1e-4);
            }
            if (r.keys.defined()) {
                EXPECT_LT(furthest(chunk.key, floats(r.keys[0][static_cast<int64_t>(chunk.index)])),
                          1e-4);
            } else {
                EXPECT_TRUE(chunk.key.empty() && chunk.query.empty());
            }
            EXPECT_TRUE(chunk.pointers.empty());
            const auto found = neighbours_of(r, chunk.index);
            EXPECT_EQ(stream.set_neighbours(chunk.index, found).size(), found.size());
        }
        if (scored) {
            log_probs.resize(n);
            stream.advance_upper_scored(std::span(r.next).subspan(p, n), log_probs, logits);
            EXPECT_LT(furthest(log_probs, floats(r.log_probs.narrow(0, static_cast<int64_t>(p),
                                                                    static_cast<int64_t>(n)))),
                      1e-4)
                << name << " from token " << p;
        } else {
            stream.advance_upper(logits);
        }
        expect_pointers(stream, r, p, n, name);
        p += n;
        EXPECT_EQ(stream.position(), p);
        EXPECT_LT(furthest(logits, floats(r.logits[static_cast<int64_t>(p) - 1])), 1e-4)
            << name << " token " << p - 1;
    }
}

TEST_F(EngineTest, stream_equals_the_whole_document_for_any_pieces) {
    for (auto [name, config] : readable_variants()) {
        const model::RptModel model(with_bytes(config), 3);
        model::roughen(model);
        const auto engine = open(model);
        const Reference r = reference(model, 6);
        for (const size_t piece : {size_t{100}, size_t{1}, size_t{3}, size_t{5}}) {
            for (const bool scored : {false, true}) {
                const auto stream = engine->new_stream();
                feed(*stream, r, 0, r.ids.size(), piece, scored,
                     name + " by " + std::to_string(piece));
            }
        }
    }
}

TEST_F(EngineTest, stream_fork_and_checkpoint_are_independent) {
    for (const auto& [name, config] : readable_variants()) {
        if (name != "rpt" && name != "retro" && name != "llama") continue;
        const model::ModelConfig c = with_bytes(config);
        const model::RptModel model(c, 3);
        const auto engine = open(model);
        const Reference r = reference(model, 6);
        const auto stream = engine->new_stream();
        feed(*stream, r, 0, 21, 4, false, "before");
        const auto copy = stream->fork();
        const auto before = stream->checkpoint();
        EXPECT_EQ(before->position(), 21u);
        // the original goes elsewhere
        Reference other = r;
        std::vector<float> logits(static_cast<size_t>(c.vocab));
        for (int i = 0; i < 20; ++i) {
            const int32_t id = 100 + i;
            for (const auto& chunk : stream->advance_lower({&id, 1}))
                stream->set_neighbours(chunk.index, {});
            stream->advance_upper(logits);
        }
        feed(*copy, r, 21, r.ids.size(), 1, false, "fork");
        // twice: going back leaves the checkpoint as it was
        for (const char* time : {"rewound", "rewound again"}) {
            stream->rewind(*before);
            EXPECT_EQ(stream->position(), 21u);
            expect_pointers(*stream, r, 20, 1, time);
            feed(*stream, r, 21, r.ids.size(), 1, false, time);
        }
    }
}

TEST_F(EngineTest, stream_far_along_equals_a_fresh_one_in_its_window) {
    // positions are relative to the window: after many blocks a stream without memory sees only the
    // last two
    model::ModelConfig c = with_bytes(model::tiny_config());
    c.retrieval = model::RetrievalKind::kNone;
    c.cca_layers.clear();
    c.n_lower = c.n_upper = 1;  // receptive field: two blocks back
    const model::RptModel model(c, 3);
    const auto engine = open(model);
    const auto far = engine->new_stream(), fresh = engine->new_stream();
    std::vector<float> a(static_cast<size_t>(c.vocab)), b = a;
    const std::vector<int32_t> filler(static_cast<size_t>(c.stride), 7);
    const auto block = [&](Stream& s, int32_t first, std::vector<float>& out) {
        std::vector<int32_t> ids(static_cast<size_t>(c.stride));
        for (size_t i = 0; i < ids.size(); ++i) ids[i] = first + static_cast<int32_t>(3 * i);
        s.advance_lower(ids);
        s.advance_upper(out);
    };
    for (int i = 0; i < 4000; ++i) {
        far->advance_lower(filler);
        far->advance_upper({});
    }
    for (int32_t i = 0; i < 5; ++i) block(*far, 10 + i, a);
    for (int32_t i = 0; i < 5; ++i) block(*fresh, 10 + i, b);
    EXPECT_LT(furthest(a, b), 1e-4);
}

TEST_F(EngineTest, stream_masks_a_missing_successor_and_short_chunks) {
    const model::ModelConfig c = with_bytes(model::tiny_config());
    const model::RptModel model(c, 3);
    const auto engine = open(model);
    const size_t m = static_cast<size_t>(c.chunk), d = static_cast<size_t>(c.dim);
    const std::vector<float> states = floats(at::randn({2 * c.chunk, c.dim}));
    std::vector<float> poisoned = states;
    for (size_t i = (m + 2) * d; i < poisoned.size(); ++i) poisoned[i] = 1e6f;
    const auto logits_with = [&](const std::vector<float>& from, size_t rows, size_t more) {
        const auto stream = engine->new_stream();
        const std::vector<int32_t> ids(m, 9);
        std::vector<float> logits(static_cast<size_t>(c.vocab));
        stream->advance_lower(ids);
        const Neighbour n{{from.data(), rows * d}, {from.data() + m * d, more * d}};
        const auto use = stream->set_neighbours(0, {&n, 1});
        EXPECT_GT(use[0].gate, 0.1f);
        EXPECT_LT(use[0].gate, 1.0f);
        stream->advance_upper(logits);
        return logits;
    };
    EXPECT_EQ(logits_with(states, m, 2), logits_with(poisoned, m, 2));
    EXPECT_GT(furthest(logits_with(states, m, 2), logits_with(states, m, 0)), 1e-5);
    EXPECT_GT(furthest(logits_with(states, 3, 0), logits_with(states, m, 0)), 1e-5);
}

TEST_F(EngineTest, stream_opening_neighbours_reach_the_first_tokens_alike_in_any_pieces) {
    for (const bool augment : {false, true}) {
        model::ModelConfig c = with_bytes(model::tiny_config());
        c.augment = augment;
        const model::RptModel model(c, 3);
        const auto engine = open(model);
        const std::vector<float> states = floats(at::randn({2 * c.chunk, c.dim}));
        const size_t half = states.size() / 2;
        const Neighbour n{{states.data(), half}, {states.data() + half, half}};
        const auto logits_after = [&](bool opening, size_t piece) {
            const auto stream = engine->new_stream();
            if (opening) {
                EXPECT_EQ(stream->set_opening_neighbours({&n, 1}).size(), 1u);
            }
            const std::vector<int32_t> ids(static_cast<size_t>(c.chunk) - 1, 9);
            std::vector<float> logits(static_cast<size_t>(c.vocab));
            for (size_t at = 0; at < ids.size(); at += piece) {
                stream->advance_lower(std::span(ids).subspan(at, std::min(piece, ids.size() - at)));
                stream->advance_upper(logits);
            }
            return logits;
        };
        EXPECT_GT(furthest(logits_after(true, 100), logits_after(false, 100)), 1e-4);
        EXPECT_LT(furthest(logits_after(true, 100), logits_after(true, 1)), 1e-4);
        const auto late = engine->new_stream();
        late->set_opening_neighbours({&n, 1});
        EXPECT_THROW(late->set_opening_neighbours({&n, 1}), Error);
    }
}

TEST_F(EngineTest, stream_hands_out_the_logits_of_every_token) {
    model::ModelConfig c = with_bytes(model::tiny_config());
    c.stride = 128;
    const model::RptModel model(c, 3);
    const auto engine = open(model);
    const Reference r = reference(model, 2);
    for (const size_t piece : {size_t{128}, size_t{50}, size_t{1}}) {
        const auto stream = engine->new_stream();
        size_t seen = 0;
        for (size_t p = 0; p < r.ids.size();) {
            const size_t n = std::min({piece, stream->room(), r.ids.size() - p});
            for (const EncodedChunk& chunk : stream->advance_lower(std::span(r.ids).subspan(p, n)))
                stream->set_neighbours(chunk.index, neighbours_of(r, chunk.index));
            stream->advance_upper_rows([&](size_t first, std::span<const float> logits) {
                EXPECT_EQ(p + first, seen);
                const at::Tensor wanted = r.logits.narrow(
                    0, static_cast<int64_t>(seen), static_cast<int64_t>(logits.size()) / c.vocab);
                EXPECT_LT(furthest({logits.begin(), logits.end()}, floats(wanted)), 1e-4);
                seen += static_cast<size_t>(wanted.size(0));
            });
            p += n;
        }
        EXPECT_EQ(seen, r.ids.size());
    }
    // what the sink throws does not keep the stream from going on
    const auto stream = engine->new_stream();
    stream->advance_lower(std::span(r.ids).first(3));
    EXPECT_THROW(
        stream->advance_upper_rows([](size_t, std::span<const float>) { throw std::string(); }),
        std::string);
    EXPECT_TRUE(stream->advance_lower(std::span(r.ids).subspan(3, 1)).size() == 1);
}

Status status_of(const std::function<void()>& f) {
    try {
        f();
    } catch (const Error& error) {
        return error.status();
    }
    return Status::kOk;
}

TEST_F(EngineTest, stream_refuses_what_breaks_its_order) {
    const model::ModelConfig c = with_bytes(model::tiny_config());
    const model::RptModel model(c, 3);
    const auto engine = open(model);
    const auto stream = engine->new_stream();
    std::vector<float> logits(static_cast<size_t>(c.vocab)), few(3);
    const std::vector<int32_t> chunk(static_cast<size_t>(c.chunk), 1), many(100, 1), wrong(1, 262);
    EXPECT_EQ(status_of([&] { stream->advance_upper(logits); }), Status::kState);
    EXPECT_EQ(status_of([&] { stream->advance_lower(many); }), Status::kArgument);
    EXPECT_EQ(status_of([&] { stream->advance_lower(wrong); }), Status::kArgument);
    EXPECT_EQ(status_of([&] { stream->advance_lower({}); }), Status::kArgument);
    EXPECT_EQ(stream->position(), 0u);
    stream->advance_lower(chunk);
    EXPECT_EQ(status_of([&] { stream->advance_upper(logits); }), Status::kState);
    EXPECT_EQ(status_of([&] { stream->set_neighbours(1, {}); }), Status::kState);
    const std::vector<float> odd(5);
    const Neighbour n{odd, {}};
    EXPECT_EQ(status_of([&] { stream->set_neighbours(0, {&n, 1}); }), Status::kArgument);
    stream->set_neighbours(0, {});
    EXPECT_EQ(status_of([&] { stream->advance_upper(few); }), Status::kArgument);
    EXPECT_EQ(status_of([&] { stream->advance_lower(chunk); }), Status::kState);
    stream->advance_upper(logits);
    EXPECT_EQ(stream->room(), static_cast<size_t>(c.stride - c.chunk));
}

TEST_F(EngineTest, open_refuses_devices_and_precisions_that_are_not_there) {
    const model::RptModel model(with_bytes(model::tiny_config()), 3);
    const std::string path = save(model);
    EngineOptions options;
    options.precision = Precision::kBf16;
    EXPECT_EQ(status_of([&] { open_torch_engine(path, options); }), Status::kUnsupported);
    if (!at::hasCUDA()) {
        options = {};
        options.device = Device::kCuda;
        EXPECT_EQ(status_of([&] { open_torch_engine(path, options); }), Status::kDevice);
    }
    const model::RptModel small(model::tiny_config(), 3);  // a vocabulary below the tokenizer's
    const std::string other = save(small);
    EXPECT_EQ(status_of([&] { open_torch_engine(other, {}); }), Status::kCorrupt);
}

TEST_F(EngineTest, rates_and_sizes_are_positive) {
    const model::RptModel model(with_bytes(model::tiny_config()), 3);
    const auto engine = open(model);
    const MachineRates rates = TorchFactory().measure_machine(engine->config());
    EXPECT_GT(rates.gemm_flops, 0);
    EXPECT_GT(rates.read_bytes, 0);
    EXPECT_GT(lower_flops_per_token(engine->config()), 0);
    EXPECT_GT(decode_bytes_per_token(engine->config()), 0);
    const int before = torch_threads();
    set_torch_threads(0);
    EXPECT_GE(torch_threads(), 1);
    set_torch_threads(before);
}

}  // namespace
}  // namespace rpt::engine
