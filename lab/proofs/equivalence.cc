#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/text/bpe_trainer.h"
#include "lab/engine/torch_factory.h"
#include "lab/proofs/model_checks.h"
#include "lab/proofs/own_neighbours.h"
#include "lab/proofs/small_models.h"
#include "lab/train/neighbour_choice.h"

namespace rpt::proofs {
namespace {

namespace fs = std::filesystem;

constexpr double kSame = 1e-4;
constexpr int64_t kBlocks = 6;

// Reads a document through a stream in pieces; what closes goes into a memory of its own, searched
// before each chunk is read on.
class StreamReader {
  public:
    StreamReader(const engine::Engine& engine, const at::Tensor& given)
        : config_(engine.config()), given_(given), stream_(engine.new_stream()) {}

    // Log-probability of each next token.
    std::vector<float> read(const std::vector<int32_t>& ids, const std::vector<int32_t>& next,
                            size_t piece) {
        std::vector<float> log_probs(ids.size());
        std::vector<float> logits(static_cast<size_t>(config_.vocab));
        for (size_t at = 0; at < ids.size();) {
            const size_t n = std::min({piece, ids.size() - at, stream_->room()});
            for (engine::EncodedChunk& chunk :
                 stream_->advance_lower(std::span(ids).subspan(at, n))) {
                memory_.push_back(std::move(chunk));
                const std::vector<engine::Neighbour> found = search(memory_.back());
                stream_->set_neighbours(memory_.back().index, found);
            }
            stream_->advance_upper_scored(std::span(next).subspan(at, n),
                                          std::span(log_probs).subspan(at, n), logits);
            at += n;
        }
        return log_probs;
    }

  private:
    std::vector<engine::Neighbour> search(const engine::EncodedChunk& chunk) const {
        std::vector<engine::Neighbour> found;
        if (!config_.has_cca()) return found;
        const int64_t i = static_cast<int64_t>(chunk.index);
        const auto show = [&](size_t j) {
            found.push_back({memory_[j].states, memory_[j + 1].states});
        };
        if (given_.defined()) {
            for (int64_t r = 0; r < given_.size(2); ++r) {
                const int64_t j = given_[0][i][r].item<int64_t>();
                if (j >= 0) show(static_cast<size_t>(j));
            }
            return found;
        }
        const int64_t pool = std::max<int64_t>(0, model::last_retrievable(config_, i) + 1);
        std::vector<float> scores;
        for (int64_t j = 0; j < pool; ++j) {
            const std::vector<float>& key = memory_[static_cast<size_t>(j)].key;
            double score = 0;
            for (size_t x = 0; x < key.size(); ++x)
                score += static_cast<double>(key[x]) * static_cast<double>(chunk.query[x]);
            scores.push_back(static_cast<float>(score));
        }
        for (const int32_t j : train::top_k(scores, pool, config_.neighbours))
            show(static_cast<size_t>(j));
        return found;
    }

    model::ModelConfig config_;
    at::Tensor given_;  // of a model without a retriever
    std::unique_ptr<engine::Stream> stream_;
    std::vector<engine::EncodedChunk> memory_;
};

// The package goes whether it could be opened or not.
class RemovedFile {
  public:
    explicit RemovedFile(fs::path path) : path_(std::move(path)) {}
    ~RemovedFile() {
        std::error_code ignored;
        fs::remove(path_, ignored);
    }
    RemovedFile(const RemovedFile&) = delete;
    RemovedFile& operator=(const RemovedFile&) = delete;

  private:
    fs::path path_;
};

std::vector<int32_t> as_ids(const at::Tensor& tokens, int64_t begin, int64_t count) {
    const int64_t* at = tokens.const_data_ptr<int64_t>() + begin;
    return {at, at + count};
}

}  // namespace

std::vector<Check> check_equivalence(const std::string& name, const model::ModelConfig& config,
                                     uint64_t seed, const std::string& folder) {
    const at::NoGradGuard no_grad;
    const model::RptModel model(config, seed);
    const int64_t length = kBlocks * config.stride;
    const at::Tensor tokens = random_tokens(config, 1, length + 1, seed);
    const at::Tensor inputs = tokens.narrow(1, 0, length).contiguous();
    const at::Tensor targets = tokens.narrow(1, 1, length).contiguous();
    const model::LowerOutput low = model.lower(inputs);
    const at::Tensor neighbours = neighbours_in_use(model, low);
    const at::Tensor nll = model.token_nll(model.upper(low, neighbours), targets).contiguous();

    const fs::path path = fs::path(folder) / ("equivalence_" + name + ".safetensors");
    model::save_model(model,
                      text::BpeTrainer().train(static_cast<int32_t>(config.vocab))->to_json(), {},
                      path.string());
    engine::EngineOptions options;
    options.device = engine::Device::kCpu;
    const RemovedFile removed(path);
    const auto engine = engine::open_torch_engine(path.string(), options);

    std::vector<Check> checks;
    const auto compare = [&](const char* how, size_t piece) {
        StreamReader reader(*engine, config.has_retriever() ? at::Tensor() : neighbours);
        const std::vector<float> log_probs =
            reader.read(as_ids(tokens, 0, length), as_ids(tokens, 1, length), piece);
        double most = 0;
        for (int64_t p = 0; p < length; ++p) {
            const double one = static_cast<double>(nll.const_data_ptr<float>()[p]) +
                               static_cast<double>(log_probs[static_cast<size_t>(p)]);
            most = std::isfinite(one) ? std::max(most, std::abs(one)) : one;
            if (!std::isfinite(one)) break;
        }
        checks.push_back(
            expect_below(name + ": " + how + " against the whole document", most, kSame));
    };
    compare("blocks", static_cast<size_t>(config.stride));
    compare("pieces of 3", 3);
    compare("single tokens", 1);
    return checks;
}

}  // namespace rpt::proofs
