#include "lab/train/encoder_pairs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "lab/train/candidates.h"
#include "lab/train/counter_random.h"
#include "lab/train/document_span.h"

namespace rpt::train {
namespace {

constexpr int64_t kHardRank = 5;  // of the hard negative, from 0

at::Tensor stack_chunks(std::span<const EncoderPair> pairs,
                        std::vector<int32_t> EncoderPair::*field, at::Device device) {
    const auto n = static_cast<int64_t>(pairs.size());
    const auto m = static_cast<int64_t>((pairs[0].*field).size());
    at::Tensor rows = at::empty({n, m}, at::kLong);
    for (int64_t i = 0; i < n; ++i)
        std::copy((pairs[i].*field).begin(), (pairs[i].*field).end(),
                  rows.data_ptr<int64_t>() + i * m);
    return rows.to(device);
}

}  // namespace

std::vector<EncoderPair> pairs_of_piece(const model::ModelConfig& config,
                                        std::span<const int32_t> inputs, int64_t n_tokens,
                                        uint64_t piece) {
    const auto lists =
        make_given_neighbours(config, GivenQuery::kChunkAndTarget, kHardRank + 1, inputs, n_tokens);
    const auto chunk_at = [&](int64_t number) {
        const auto tokens = inputs.subspan(number * config.chunk, config.chunk);
        return std::vector<int32_t>(tokens.begin(), tokens.end());
    };
    std::vector<EncoderPair> pairs;
    for (int64_t i = 0; i + 1 < n_tokens / config.chunk; ++i) {
        const auto ranked = std::span(lists.chunk).subspan(i * lists.width, lists.width);
        const auto found =
            std::count_if(ranked.begin(), ranked.end(), [](int32_t j) { return j >= 0; });
        if (found < 2) continue;
        EncoderPair pair;
        pair.piece = piece;
        pair.positive_chunk = ranked[0];
        pair.negative_chunk = ranked[found - 1];
        pair.query = chunk_at(i);
        pair.positive = chunk_at(pair.positive_chunk);
        pair.negative = chunk_at(pair.negative_chunk);
        pairs.push_back(std::move(pair));
    }
    return pairs;
}

std::vector<EncoderPair> draw_pairs(const model::ModelConfig& config,
                                    const ShardVocabulary& vocabulary, SampleSource& source,
                                    int64_t n, int64_t per_piece, uint64_t seed, uint64_t& piece) {
    std::vector<EncoderPair> batch;
    const size_t most = 64 + 16 * static_cast<size_t>(n);  // pieces without any pair are no reason
                                                           // to go on for ever
    for (size_t tried = 0; static_cast<int64_t>(batch.size()) < n; ++tried) {
        if (tried == most) {
            throw Error(Status::kArgument, "rpt",
                        "the shards hold too few chunks with a pool; raise train.length");
        }
        const auto text = source.read(source.next());
        const DocumentSpan span = make_document_span(config, vocabulary, text);
        auto pairs = pairs_of_piece(config, span.inputs, span.n_tokens, piece);
        for (int64_t taken = 0;
             taken < per_piece && !pairs.empty() && static_cast<int64_t>(batch.size()) < n;
             ++taken) {
            const size_t at = draw_below(seed, piece, taken, pairs.size());
            batch.push_back(std::move(pairs[at]));
            pairs.erase(pairs.begin() + static_cast<std::ptrdiff_t>(at));
        }
        ++piece;
    }
    return batch;
}

at::Tensor in_batch_loss(const DualEncoder& encoder, std::span<const EncoderPair> pairs,
                         at::Device device, EncoderReport& report) {
    RPT_CHECK(!pairs.empty());
    const auto n = static_cast<int64_t>(pairs.size());
    const at::Tensor queries =
        encoder.encode_queries(stack_chunks(pairs, &EncoderPair::query, device));
    const at::Tensor passages =
        encoder.encode_passages(at::cat({stack_chunks(pairs, &EncoderPair::positive, device),
                                         stack_chunks(pairs, &EncoderPair::negative, device)}));
    at::Tensor same = at::zeros({n, 2 * n}, at::kBool);
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
            if (pairs[i].piece != pairs[j].piece) continue;
            bool* row = same.data_ptr<bool>() + i * 2 * n;
            row[j] = j != i && pairs[j].positive_chunk == pairs[i].positive_chunk;
            row[n + j] = pairs[j].negative_chunk == pairs[i].positive_chunk;
        }
    }
    const at::Tensor scores =
        encoder.score(queries, passages)
            .masked_fill(same.to(device), -std::numeric_limits<float>::infinity());
    const at::Tensor right = at::arange(n, at::kLong).to(device);
    const at::Tensor loss = -at::log_softmax(scores, 1).gather(1, right.unsqueeze(1)).mean();
    report.loss = loss.detach().item<double>();
    report.accuracy = scores.detach().argmax(1).eq(right).to(at::kFloat).mean().item<double>();
    return loss;
}

EncoderReport encoder_step(const DualEncoder& encoder, AdamW& optimizer,
                           std::span<const EncoderPair> pairs, double lr, at::Device device) {
    EncoderReport report;
    optimizer.clear_gradients();
    const at::Tensor loss = in_batch_loss(encoder, pairs, device, report);
    if (!std::isfinite(report.loss)) {
        throw Error(Status::kState, "rpt",
                    "the encoder's loss is not finite; train it again with a lower rate");
    }
    loss.backward();
    optimizer.step(lr);
    return report;
}

}  // namespace rpt::train
