#include "core/calibration/untrained_memory.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "core/calibration/untrained_gate.h"
#include "core/engine/engine_factory.h"
#include "core/weights/dequantise.h"
#include "core/weights/memory_file.h"
#include "core/weights/model_file.h"
#include "core/weights/package_config.h"
#include "tests/fakes/fake_engine.h"
#include "tests/fakes/tiny_decoder.h"

namespace rpt {
namespace {

// What the engines below were asked for, by the layer that their model is split at.
std::map<int64_t, std::vector<std::vector<int32_t>>> asked;

constexpr size_t kDim = 8;

// The state of a token after some layers: a number of the token alone, on each channel; the begin
// token's is far from all others.
std::vector<float> state_of(int64_t layer, int32_t token, bool is_begin) {
    std::vector<float> state = fakes::noise(fakes::mix(uint64_t(token), uint64_t(layer)), kDim);
    for (float& value : state) value = is_begin ? 1e6f : value + float(layer);
    return state;
}

class SplitEngine final : public fakes::FakeEngine {
  public:
    SplitEngine(std::shared_ptr<const text::Tokenizer> tokenizer, model::ModelConfig config)
        : FakeEngine(std::move(tokenizer)) {
        mutable_config() = std::move(config);
    }
    std::vector<engine::EncodedChunk> encode_segment(
        std::span<const int32_t> context, std::span<const int32_t> tokens) const override {
        EXPECT_TRUE(context.empty());
        asked[config().n_lower].emplace_back(tokens.begin(), tokens.end());
        std::vector<engine::EncodedChunk> out;
        const size_t m = size_t(config().chunk);
        for (size_t at = 0; at < tokens.size(); at += m) {
            engine::EncodedChunk& chunk = out.emplace_back();
            chunk.index = at / m;
            chunk.n_tokens = uint32_t(std::min(m, tokens.size() - at));
            for (size_t i = at; i < at + chunk.n_tokens; ++i) {
                const auto state = state_of(config().n_lower, tokens[i], i == 0);
                chunk.states.insert(chunk.states.end(), state.begin(), state.end());
            }
        }
        return out;
    }
};

class SplitFactory final : public engine::EngineFactory {
  public:
    std::string_view name() const override { return "split"; }
    std::string refusal(const model::ModelConfig&, const engine::EngineOptions&) const override {
        return "";
    }
    std::shared_ptr<const engine::Engine> open(const weights::Package& package,
                                               const engine::EngineOptions&) const override {
        return std::make_shared<SplitEngine>(
            text::Tokenizer::from_json(package.tokenizer_json(), package.roles_json()),
            weights::config_of(package));
    }
    void set_compute_threads(int) const override {}
    engine::MachineRates measure_machine(const model::ModelConfig&) const override { return {}; }
};

const SplitFactory kFactory;
const engine::EngineFactory* const kFactories[] = {&kFactory};

}  // namespace

namespace engine {
std::span<const EngineFactory* const> linked_engines() {
    return kFactories;
}
}  // namespace engine

namespace calibration {
namespace {

namespace fs = std::filesystem;

class UntrainedMemory : public ::testing::Test {
  protected:
    const std::string model_ = ::testing::TempDir() + "calibrated.gguf";
    const std::string memory_ = ::testing::TempDir() + "calibrated.memory.safetensors";

    void SetUp() override {
        std::ofstream(model_, std::ios::binary) << fakes::TinyDecoder{}.gguf().build().bytes;
        fs::remove(memory_);
        asked.clear();
    }
    void TearDown() override { fs::remove(memory_); }

    static std::vector<float> numbers(const weights::Package& package, const std::string& name) {
        size_t n = 1;
        for (const int64_t size : package.tensors().at(name).shape) n *= size_t(size);
        std::vector<float> out(n);
        weights::read_floats(package, name, out);
        return out;
    }
};

}  // namespace

TEST_F(UntrainedMemory, has_the_moments_of_the_states_without_begin_tokens) {
    write_untrained_memory(model_, memory_);
    const auto package = weights::open_model(model_);
    EXPECT_TRUE(weights::has_untrained_memory(*package));
    EXPECT_FALSE(weights::has_untrained_memory(*weights::open_model_alone(model_)));
    const model::ModelConfig config = weights::config_of(*package);
    EXPECT_EQ(config.retrieval, model::RetrievalKind::kPointer);
    EXPECT_EQ(config.pointer_layer, 1);  // of two layers
    EXPECT_EQ(config.pointer_width, int64_t(kDim));
    // the slow twin: both runs ask for the states after layer 1, in the same pieces
    ASSERT_EQ(asked.size(), 1u);
    const auto& pieces = asked.at(1);
    ASSERT_EQ(pieces.size() % 2, 0u);
    std::vector<double> mean(kDim), square(kDim);
    double n = 0;
    for (size_t p = 0; p < pieces.size() / 2; ++p) {
        EXPECT_EQ(pieces[p], pieces[p + pieces.size() / 2]);
        EXPECT_LE(int64_t(pieces[p].size()), 2 * config.stride);
        for (size_t i = 1; i < pieces[p].size(); ++i, ++n) {
            const auto state = state_of(1, pieces[p][i], false);
            for (size_t c = 0; c < kDim; ++c)
                mean[c] += state[c], square[c] += double(state[c]) * state[c];
        }
    }
    EXPECT_GT(n, 1000);
    const auto found_mean = numbers(*package, "memory.pointer.mean"),
               scale = numbers(*package, "memory.state_scale");
    for (size_t c = 0; c < kDim; ++c) {
        EXPECT_NEAR(found_mean[c], mean[c] / n, 1e-5);
        EXPECT_NEAR(scale[c], std::sqrt(square[c] / n), 1e-5);
    }
    EXPECT_EQ(numbers(*package, "memory.pointer.query"), numbers(*package, "memory.pointer.key"));
    const auto gate = numbers(*package, "memory.copy");
    ASSERT_EQ(gate.size(), 36u);
    EXPECT_TRUE(std::equal(kUntrainedGate.begin(), kUntrainedGate.end(), gate.begin()));
    std::vector<float> of_spaces(kUntrainedGate.begin(), kUntrainedGate.end());
    of_spaces[2] = kUntrainedSpaceBias;
    EXPECT_EQ(std::vector(gate.begin() + 18, gate.end()), of_spaces);
}

TEST_F(UntrainedMemory, is_the_same_each_time_and_needs_no_other_beside_the_model) {
    const auto bytes = [&] {
        std::ifstream in(memory_, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    write_untrained_memory(model_, memory_);
    const std::string first = bytes();
    std::ofstream(memory_, std::ios::binary) << "broken";
    write_untrained_memory(model_, memory_);
    EXPECT_EQ(bytes(), first);
}

TEST_F(UntrainedMemory, cancelled_leaves_what_was_there) {
    std::ofstream(memory_, std::ios::binary) << "before";
    uint64_t last = 0, total = 0;
    const CallControl control(nullptr, 0, [&](uint64_t done, uint64_t all) {
        EXPECT_GT(done, last);
        last = done, total = all;
        return done < all;
    });
    EXPECT_THROW(write_untrained_memory(model_, memory_, control), Error);
    EXPECT_EQ(last, total);  // it is told to the end
    EXPECT_EQ(fs::file_size(memory_), 6u);
}

TEST_F(UntrainedMemory, of_a_model_with_a_memory_of_its_own_is_refused) {
    try {
        write_untrained_memory(RPT_SOURCE_DIR "/models/nano.safetensors", memory_);
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kUnsupported);
    }
    EXPECT_FALSE(fs::exists(memory_));
}

}  // namespace calibration
}  // namespace rpt
