#include "lab/memory/copy_distribution.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

namespace rpt::memory {
namespace {

constexpr double kFirstTemperature = 20.0;
constexpr double kTiny = 1e-12;

at::Tensor leaf(const at::Tensor& t) {
    return t.detach().to(at::kFloat).contiguous().clone().requires_grad_(true);
}

at::Tensor unit(const at::Tensor& matrix, const at::Tensor& mean, const at::Tensor& states) {
    const at::Tensor rows = at::linear(states.to(at::kFloat) - mean, matrix);
    return rows / rows.norm(2, {-1}, true).clamp_min(1e-20);
}

}  // namespace

CopyParameters untrained(const std::vector<DocumentCache>& documents, int64_t width,
                         int64_t most_tokens) {
    const at::NoGradGuard guard;
    std::vector<at::Tensor> parts;
    for (const DocumentCache& document : documents)
        parts.push_back(document.states.narrow(0, 0, std::min(most_tokens, document.states.size(0)))
                            .to(at::kDouble));
    const at::Tensor all = at::cat(parts);
    const at::Tensor mean = all.mean(0);
    const at::Tensor centred = all - mean;
    // eigenvectors come with ascending eigenvalues
    const auto [values, vectors] = at::linalg_eigh(at::mm(centred.t(), centred));
    const int64_t d = mean.size(0);
    const at::Tensor directions = vectors.narrow(1, d - width, width).t();
    CopyParameters p;
    p.mean = mean.to(at::kFloat);
    p.query = leaf(directions);
    p.key = leaf(directions);
    p.temperature = leaf(at::full({}, std::log(kFirstTemperature)));
    p.bias = leaf(at::full({}, -3.0));
    p.weights = leaf(at::zeros({kGateInputs}));
    p.shift = at::zeros({kGateInputs});
    p.scale = at::ones({kGateInputs});
    return p;
}

void make_trainable(CopyParameters& p) {
    for (at::Tensor* part : {&p.query, &p.key, &p.temperature, &p.bias, &p.weights})
        *part = leaf(*part);
}

at::Tensor factor_of(const CopyParameters& p) {
    return p.temperature.clamp_max(std::log(kMostTemperature)).exp();
}

std::vector<std::pair<std::string, at::Tensor>> trained(const CopyParameters& p) {
    return {{"query", p.query},
            {"key", p.key},
            {"temperature", p.temperature},
            {"bias", p.bias},
            {"weights", p.weights}};
}

at::Tensor query_rows(const CopyParameters& p, const at::Tensor& states) {
    return unit(p.query, p.mean, states);
}

at::Tensor key_rows(const CopyParameters& p, const at::Tensor& states) {
    return unit(p.key, p.mean, states);
}

CopyScores copy_scores(const CopyParameters& p, const CopyQueries& queries, const FarTokens& far) {
    const int64_t n = queries.rows.size(0), places = far.rows.size(0);
    const at::Tensor cosine = at::mm(queries.rows, far.rows.t());
    const at::Tensor scores = cosine * factor_of(p);
    const auto [distinct, slot] = at::_unique(far.next, /*sorted=*/true, /*return_inverse=*/true);
    const int64_t words = distinct.size(0);
    const at::Tensor copy =
        at::zeros({n, words}, scores.options())
            .scatter_add(1, slot.unsqueeze(0).expand({n, places}), at::softmax(scores, -1));
    const at::Tensor best = copy.amax(1).clamp(kTiny, 1.0 - 1e-6);
    const at::Tensor entropy = (copy * copy.clamp_min(kTiny).log()).sum(1).neg();
    const at::Tensor mass = at::logsumexp(scores, {1}) - std::log(static_cast<double>(places));
    const at::Tensor near = cosine.detach().gt(kNearCosine).sum(1).to(at::kFloat).log1p();
    CopyScores out;
    out.inputs =
        at::stack({best.log() - (1.0 - best).log(), entropy, mass, queries.entropy, near}, 1);
    const at::Tensor found = at::searchsorted(distinct, queries.next).clamp_max(words - 1);
    const at::Tensor present = distinct.index_select(0, found).eq(queries.next);
    out.of_next = copy.gather(1, found.unsqueeze(1)).squeeze(1) * present.to(at::kFloat);
    return out;
}

at::Tensor gate_logit(const CopyParameters& p, const at::Tensor& inputs) {
    return at::mv((inputs - p.shift) / p.scale, p.weights) + p.bias;
}

at::Tensor mixture_nll(const CopyParameters& p, const CopyQueries& queries, const FarTokens& far) {
    const CopyScores scores = copy_scores(p, queries, far);
    const at::Tensor logit = gate_logit(p, scores.inputs);
    return at::logaddexp(at::log_sigmoid(-logit) - queries.nll,
                         at::log_sigmoid(logit) + scores.of_next.clamp_min(kTiny).log())
        .neg();
}

namespace {

// The tokens of a block, [first, first + n).
struct Block {
    int64_t first, n;
};

Block block_at(const DocumentCache& document, int64_t block) {
    const int64_t first = block * document.stride;
    return {first, std::min(document.stride, document.size() - 1 - first)};
}

CopyQueries queries_at(const DocumentCache& document, Block at, at::Tensor rows) {
    return {std::move(rows), document.tokens.narrow(0, at.first + 1, at.n),
            document.nll.narrow(0, at.first, at.n), document.entropy.narrow(0, at.first, at.n)};
}

}  // namespace

CopyQueries queries_of_block(const CopyParameters& p, const DocumentCache& document,
                             int64_t block) {
    const Block at = block_at(document, block);
    return queries_at(document, at, query_rows(p, document.states.narrow(0, at.first, at.n)));
}

FarTokens far_of_block(const CopyParameters& p, const DocumentCache& document, int64_t block) {
    const int64_t n = far_end(document, block);
    return {key_rows(p, document.states.narrow(0, 0, n)), document.tokens.narrow(0, 1, n)};
}

int64_t far_end(const DocumentCache& document, int64_t block) {
    return std::max<int64_t>(0, (block - 1) * document.stride);
}

int64_t blocks_of(const DocumentCache& document) {
    return (document.size() - 1 + document.stride - 1) / document.stride;
}

MappedDocument::MappedDocument(const CopyParameters& p, const DocumentCache& of)
    : document(&of), queries(query_rows(p, of.states)), keys(key_rows(p, of.states)) {}

CopyQueries MappedDocument::queries_of_block(int64_t block) const {
    const Block at = block_at(*document, block);
    return queries_at(*document, at, queries.narrow(0, at.first, at.n));
}

FarTokens MappedDocument::far_of_block(int64_t block) const {
    return part(0, far_end(*document, block));
}

FarTokens MappedDocument::part(int64_t begin, int64_t end) const {
    return {keys.narrow(0, begin, end - begin), document->tokens.narrow(0, begin + 1, end - begin)};
}

FarTokens MappedDocument::stored_part(int64_t begin, int64_t end) const {
    return {stored_keys.narrow(0, begin, end - begin),
            document->tokens.narrow(0, begin + 1, end - begin)};
}

}  // namespace rpt::memory
