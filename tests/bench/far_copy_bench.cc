// Does the memory get used? Far copies (spec 8.5, S2) with a random offset: 256 symbols, documents
// of 512 tokens; a chunk repeats an old chunk cut at a random place, and the chunk after it goes on
// where the old one went on. The right neighbour and a random one are given. Prints the loss on the
// copied tokens, whose chance level is ln 256 = 5.545.
//
//   far_copy_bench [steps] [induction|copy|usual] [aligned|unaligned] [lr]
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "lab/network/rpt_model.h"

namespace {

using rpt::model::ModelConfig;
using rpt::model::RptModel;

struct Batch {
    at::Tensor tokens, targets, copied, neighbours;
};

Batch make_batch(const ModelConfig& c, int64_t documents, int64_t length, bool aligned,
                 std::mt19937_64& random) {
    const int64_t m = c.chunk, chunks = length / m;
    Batch b;
    b.tokens = at::empty({documents, length}, at::kLong);
    b.targets = at::full({documents, length}, -1, at::kLong);
    b.copied = at::zeros({documents, length}, at::kFloat);
    b.neighbours = at::full({documents, chunks, 2}, -1, at::kLong);
    const auto below = [&](int64_t n) {
        return static_cast<int64_t>(random() % static_cast<uint64_t>(n));
    };
    for (int64_t d = 0; d < documents; ++d) {
        int64_t* t = b.tokens[d].mutable_data_ptr<int64_t>();
        for (int64_t p = 0; p < length; ++p) t[p] = below(256);
        for (int64_t i = 0; i + 1 < chunks; ++i) {
            const int64_t last = rpt::model::last_retrievable(c, i);
            if (last < 1) continue;
            b.neighbours[d][i][1] = below(last + 1);
            b.neighbours[d][i][0] = below(last + 1);
            if (i % 2 != 0) continue;
            const int64_t j = 1 + below(last);
            const int64_t offset = aligned ? 0 : below(11) - 5;
            for (int64_t p = 0; p < 2 * m; ++p) {
                const int64_t from = j * m + offset + p;
                t[i * m + p] = t[std::min(from, (last + 2) * m - 1)];
            }
            b.neighbours[d][i][0] = j;
            b.copied[d].narrow(0, (i + 1) * m - 1, m - 6).fill_(1.0);
        }
        b.targets[d].narrow(0, 0, length - 1).copy_(b.tokens[d].narrow(0, 1, length - 1));
    }
    return b;
}

}  // namespace

int main(int argc, char** argv) {
    const int steps = argc > 1 ? std::atoi(argv[1]) : 120;
    const std::string start = argc > 2 ? argv[2] : "induction";
    const bool aligned = argc > 3 && std::string(argv[3]) == "aligned";
    const double peak = argc > 4 ? std::atof(argv[4]) : 3e-3;

    ModelConfig c;
    c.vocab = 256;
    c.dim = 128;
    c.n_lower = c.n_upper = 2;
    c.n_heads = c.n_kv_heads = 4;
    c.head_dim = 32;
    c.ffn_dim = 512;
    c.chunk = 16;
    c.stride = 64;
    c.retrieval = rpt::model::RetrievalKind::kGiven;
    c.cca_layers = {2, 3};
    c.augment = std::getenv("RPT_AUGMENT") != nullptr;
    c.scale_logits = std::getenv("RPT_UNSCALED") == nullptr;
    c.cca_start = start == "usual"  ? rpt::model::CcaStart::kUsual
                  : start == "copy" ? rpt::model::CcaStart::kCopy
                                    : rpt::model::CcaStart::kInduction;
    c.cca_value_shift = start == "induction";
    c.cca_position =
        start == "induction" ? rpt::model::CcaPosition::kNone : rpt::model::CcaPosition::kRope;

    RptModel model(c, 1);
    std::vector<at::Tensor> first, second;
    int64_t count = 0;
    for (const auto& [name, p] : model.parameters()) {
        first.push_back(at::zeros_like(p.detach()));
        second.push_back(at::zeros_like(p.detach()));
        count += p.numel();
    }
    std::printf("start %s, %s, %.2f M parameters, learning rate %g\n", start.c_str(),
                aligned ? "aligned" : "unaligned", static_cast<double>(count) / 1e6, peak);

    std::mt19937_64 random(7);
    const int64_t documents = 8, length = 512;
    const auto began = std::chrono::steady_clock::now();
    double sum = 0, all = 0;
    int in_sum = 0;
    for (int step = 1; step <= steps; ++step) {
        const Batch b = make_batch(c, documents, length, aligned, random);
        const auto low = model.lower(b.tokens);
        RptModel::Diagnostics shown;
        const bool show = step % 25 == 0 || step == 1;
        const at::Tensor nll =
            model.token_nll(model.upper(low, b.neighbours, show ? &shown : nullptr), b.targets);
        const at::Tensor loss = nll.sum() / b.targets.ge(0).sum();
        loss.backward();
        const c10::NoGradGuard no_grad;
        sum += ((nll * b.copied).sum() / b.copied.sum()).item<double>();
        all += loss.item<double>();
        ++in_sum;
        at::Tensor square = at::zeros({});
        for (const auto& [name, p] : model.parameters()) {
            if (p.grad().defined()) square += p.grad().square().sum();
        }
        const double clip = std::min(1.0, 1.0 / (std::sqrt(square.item<double>()) + 1e-6));
        const double rate = peak * std::min(1.0, step / 50.0);
        for (size_t i = 0; i < model.parameters().size(); ++i) {
            at::Tensor p = model.parameters()[i].second;
            if (!p.grad().defined()) continue;
            const at::Tensor g = p.grad() * clip;
            first[i].lerp_(g, 0.1);
            second[i].mul_(0.95).addcmul_(g, g, 0.05);
            const double correct1 = 1 - std::pow(0.9, step), correct2 = 1 - std::pow(0.95, step);
            p.addcdiv_(first[i], (second[i] / correct2).sqrt_().add_(1e-8), -rate / correct1);
            p.mutable_grad().reset();
        }
        if (show) {
            const double seconds =
                std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
            std::printf("step %4d  copied tokens %.3f  all %.3f  null mass %.3f  %.0f tokens/s\n",
                        step, sum / in_sum, all / in_sum, shown.null_mass.item<double>(),
                        static_cast<double>(step * documents * length) / seconds);
            std::fflush(stdout);
            sum = all = 0;
            in_sum = 0;
        }
    }
    return 0;
}
