#include "lab/train/lambda_rank.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "lab/train/counter_random.h"

namespace rpt::train {
namespace {

// One query's inputs: scores of all chunks, size of its pool, candidates and their targets.
struct Query {
    std::vector<float> scores;
    int64_t pool = 0;
    std::vector<int64_t> candidate;
    std::vector<float> target;
};

Query golden() {  // spec A.2
    return {{0.9f, -0.3f, 0.4f, 0.1f, 1.2f, -0.8f}, 5, {0, 2, 3}, {0.30f, -0.10f, 0.05f}};
}

struct Slow {
    double sum = 0;
    int64_t pairs = 0;
};

// Spec 2.4 word for word: every pair of chunks of the pool.
Slow slow_loss(const Query& query, double tau, LambdaForm form) {
    const size_t l = query.scores.size();
    std::vector<double> t(l, -10000), gain(l, 0), rank(l);
    for (size_t c = 0; c < query.candidate.size(); ++c) {
        if (query.candidate[c] >= 0) t[query.candidate[c]] = query.target[c];
    }
    const auto allowed = [&](size_t j) { return static_cast<int64_t>(j) < query.pool; };
    for (size_t j = 0; j < l; ++j) gain[j] = allowed(j) && t[j] > 0 ? std::exp2(t[j]) - 1 : 0;
    std::vector<size_t> order(l);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        if (allowed(a) != allowed(b)) return allowed(a);
        return allowed(a) && query.scores[a] > query.scores[b];
    });
    for (size_t r = 0; r < l; ++r) rank[order[r]] = static_cast<double>(r + 1);
    std::vector<double> sorted = gain;
    std::sort(sorted.rbegin(), sorted.rend());
    double idcg = 0;
    for (size_t r = 0; r < l; ++r) idcg += sorted[r] / std::log2(static_cast<double>(r) + 2);
    Slow result;
    for (size_t a = 0; a < l; ++a) {
        for (size_t b = 0; b < l; ++b) {
            if (!(t[a] > t[b] && t[a] > 0 && allowed(a) && allowed(b))) continue;
            const double da = std::log2(1 + rank[a]), db = std::log2(1 + rank[b]);
            const double lambda =
                form == LambdaForm::kCode
                    ? std::abs(gain[a] - gain[b]) * std::abs(da - db) / std::max(idcg, 0.001)
                    : std::abs(gain[a] - gain[b]) * std::abs(1 / da - 1 / db) / idcg;
            result.sum += lambda * std::max(0.0, tau - (query.scores[a] - query.scores[b]));
            ++result.pairs;
        }
    }
    return result;
}

at::Tensor fast_loss(const std::vector<Query>& queries, const at::Tensor& scores, double tau,
                     LambdaForm form) {
    const int64_t l = static_cast<int64_t>(queries[0].scores.size());
    const int64_t c = static_cast<int64_t>(queries[0].candidate.size());
    at::Tensor pool = at::zeros({l}, at::kLong);
    at::Tensor candidate = at::full({1, l, c}, -1, at::kLong);
    at::Tensor target = at::zeros({1, l, c}, at::kFloat);
    for (size_t i = 0; i < queries.size(); ++i) {
        pool.data_ptr<int64_t>()[i] = queries[i].pool;
        std::copy(queries[i].candidate.begin(), queries[i].candidate.end(),
                  candidate.data_ptr<int64_t>() + i * c);
        std::copy(queries[i].target.begin(), queries[i].target.end(),
                  target.data_ptr<float>() + i * c);
    }
    return lambda_rank_sum(scores, pool, candidate, target, tau, form);
}

at::Tensor score_tensor(const std::vector<Query>& queries) {
    const int64_t l = static_cast<int64_t>(queries[0].scores.size());
    at::Tensor scores = at::zeros({1, l, l}, at::kFloat);
    for (size_t i = 0; i < queries.size(); ++i) {
        std::copy(queries[i].scores.begin(), queries[i].scores.end(),
                  scores.data_ptr<float>() + i * l);
    }
    return scores;
}

TEST(LambdaRankTest, loss_of_the_golden_query_in_both_forms) {
    const Query query = golden();
    const at::Tensor scores = score_tensor({query});
    const auto sum = [&](double tau, LambdaForm form) {
        return fast_loss({query}, scores, tau, form).item<double>();
    };
    EXPECT_NEAR(sum(1, LambdaForm::kCode), 1.463465, 2e-6);
    EXPECT_NEAR(sum(1, LambdaForm::kTextbook), 0.710930, 2e-6);
    EXPECT_NEAR(sum(4, LambdaForm::kCode), 9.259408, 5e-6);
    EXPECT_NEAR(sum(4, LambdaForm::kTextbook), 3.451967, 5e-6);
    const Slow slow = slow_loss(query, 1, LambdaForm::kCode);
    EXPECT_EQ(slow.pairs, 7);
    EXPECT_NEAR(sum(1, LambdaForm::kCode) / 7, 0.209066, 1e-6);
    EXPECT_NEAR(sum(1, LambdaForm::kTextbook) / 7, 0.101561, 1e-6);
    EXPECT_NEAR(sum(4, LambdaForm::kCode) / 7, 1.322773, 1e-6);
    EXPECT_NEAR(sum(4, LambdaForm::kTextbook) / 7, 0.493138, 1e-6);
}

std::vector<Query> random_queries(int64_t l, int64_t width, uint64_t seed) {
    std::vector<Query> queries(l);
    for (int64_t i = 0; i < l; ++i) {
        Query& query = queries[i];
        query.pool = std::max<int64_t>(0, i - 2);
        for (int64_t j = 0; j < l; ++j) {
            query.scores.push_back(static_cast<float>(4 * draw_uniform(seed, i, j) - 2));
        }
        for (int64_t c = 0; c < width; ++c) {
            const bool real = c < query.pool && draw_uniform(seed, 1000 + i, c) < 0.8;
            query.candidate.push_back(real ? (query.pool - 1 - c)
                                           : -1);  // distinct chunks of the pool
            query.target.push_back(real ? static_cast<float>(draw_uniform(seed, 2000 + i, c) - 0.4)
                                        : 0.0f);
        }
    }
    return queries;
}

TEST(LambdaRankTest, loss_equals_its_slow_twin_on_random_queries) {
    for (const uint64_t seed : {1u, 2u, 3u}) {
        const auto queries = random_queries(17, 5, seed);
        const at::Tensor scores = score_tensor(queries);
        for (const LambdaForm form : {LambdaForm::kCode, LambdaForm::kTextbook}) {
            for (const double tau : {1.0, 4.0}) {
                double slow = 0;
                for (const Query& query : queries) slow += slow_loss(query, tau, form).sum;
                EXPECT_NEAR(fast_loss(queries, scores, tau, form).item<double>(), slow,
                            1e-4 * (1 + slow));
            }
        }
    }
}

TEST(LambdaRankTest, gradient_equals_finite_differences_at_tau_4) {  // spec 8.5 S7
    const auto queries = random_queries(9, 4, 5);
    at::Tensor scores = score_tensor(queries).requires_grad_(true);
    fast_loss(queries, scores, 4, LambdaForm::kCode).backward();
    const at::Tensor gradient = scores.grad();
    // lambda is constant between changes of the order, so a step too small to swap two scores sees
    // the same weights
    const double step = 1e-3;
    for (int64_t i = 0; i < 9; ++i) {
        for (int64_t j = 0; j < 9; ++j) {
            const auto moved = [&](double by) {
                auto changed = queries;
                changed[i].scores[j] += static_cast<float>(by);
                return slow_loss(changed[i], 4, LambdaForm::kCode).sum;
            };
            const double numeric = (moved(step) - moved(-step)) / (2 * step);
            EXPECT_NEAR(gradient[0][i][j].item<double>(), numeric, 2e-3) << i << " " << j;
        }
    }
}

TEST(LambdaRankTest, loss_without_a_positive_is_zero_with_zero_gradient) {
    Query query = golden();
    query.target = {-0.1f, 0.0f, -0.3f};
    at::Tensor scores = score_tensor({query}).requires_grad_(true);
    for (const LambdaForm form : {LambdaForm::kCode, LambdaForm::kTextbook}) {
        const at::Tensor loss = fast_loss({query}, scores, 4, form);
        EXPECT_EQ(loss.item<double>(), 0.0);
        loss.backward();
        EXPECT_EQ(scores.grad().abs().sum().item<double>(), 0.0);
    }
}

}  // namespace
}  // namespace rpt::train
