#include "lab/memory/copy_fit.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>
#include <random>

#include "base/error.h"
#include "lab/train/adamw.h"
#include "lab/train/gradients.h"

namespace rpt::memory {
namespace {

// The first block that counts and has far tokens.
int64_t first_block(const DocumentCache& document, int64_t first_token) {
    return std::max<int64_t>(2, first_token / document.stride);
}

struct Place {
    size_t document;
    int64_t block;
};

// Draws a document, then one of its blocks that count: windows of all sizes come equally often.
class Places {
  public:
    Places(const std::vector<DocumentCache>& documents, int64_t first_token) {
        for (size_t d = 0; d < documents.size(); ++d) {
            const int64_t first = first_block(documents[d], first_token),
                          count = blocks_of(documents[d]) - first;
            if (count > 0) of_documents_.push_back({{d, first}, count});
        }
    }
    bool empty() const { return of_documents_.empty(); }
    Place draw(std::mt19937_64& random) const {
        const auto& [place, count] = of_documents_[random() % of_documents_.size()];
        const auto further = static_cast<int64_t>(random() % static_cast<uint64_t>(count));
        return {place.document, place.block + further};
    }

  private:
    std::vector<std::pair<Place, int64_t>> of_documents_;  // first block, and how many count
};

std::vector<MappedDocument> mapped(const CopyParameters& p,
                                   const std::vector<DocumentCache>& documents) {
    const at::NoGradGuard guard;
    std::vector<MappedDocument> out;
    for (const DocumentCache& document : documents) out.emplace_back(p, document);
    return out;
}

// What block `block` of document `d` copies from.
using Source = std::function<FarTokens(size_t d, int64_t block)>;

std::vector<CorpusLoss> losses_from(const CopyParameters& p,
                                    const std::vector<MappedDocument>& documents,
                                    int64_t first_token, const Source& source) {
    const at::NoGradGuard guard;
    std::map<std::pair<std::string, int64_t>, CorpusLoss> by_corpus;
    for (size_t d = 0; d < documents.size(); ++d) {
        const DocumentCache& document = *documents[d].document;
        CorpusLoss& sum = by_corpus[{document.corpus, document.stride}];
        sum.corpus = document.corpus;
        sum.window = 2 * document.stride;
        for (int64_t block = first_block(document, first_token); block < blocks_of(document);
             ++block) {
            const CopyQueries queries = documents[d].queries_of_block(block);
            sum.tokens += queries.nll.size(0);
            sum.without += queries.nll.sum().item<double>();
            sum.with += mixture_nll(p, queries, source(d, block)).sum().item<double>();
        }
    }
    std::vector<CorpusLoss> out;
    for (auto& [corpus, sum] : by_corpus) {
        sum.without /= static_cast<double>(sum.tokens);
        sum.with /= static_cast<double>(sum.tokens);
        out.push_back(sum);
    }
    return out;
}

// The gate's inputs get mean 0 and deviation 1 over some blocks of the training documents; the gate
// itself stays what it was.
void standardise(CopyParameters& p, const std::vector<DocumentCache>& documents,
                 const Places& places, std::mt19937_64& random) {
    const at::NoGradGuard guard;
    std::vector<at::Tensor> rows;
    for (int i = 0; i < 24; ++i) {
        const Place place = places.draw(random);
        const DocumentCache& document = documents[place.document];
        rows.push_back(copy_scores(p, queries_of_block(p, document, place.block),
                                   far_of_block(p, document, place.block))
                           .inputs);
    }
    const at::Tensor all = at::cat(rows);
    const at::Tensor shift = all.mean(0), scale = at::std(all, 0, true).clamp_min(1e-3);
    p.bias.add_((p.weights * (shift - p.shift) / p.scale).sum());
    p.weights.mul_(scale / p.scale);
    p.shift = shift;
    p.scale = scale;
}

std::vector<at::Tensor> copies(const CopyParameters& p) {
    std::vector<at::Tensor> out;
    for (const auto& [name, tensor] : trained(p)) out.push_back(tensor.detach().clone());
    return out;
}

void restore(const CopyParameters& p, const std::vector<at::Tensor>& from) {
    const at::NoGradGuard guard;
    size_t i = 0;
    for (auto [name, tensor] : trained(p)) tensor.copy_(from[i++]);
}

train::TrainOptions adam_options() {
    train::TrainOptions options;
    options.weight_decay = 0;
    options.beta2 = 0.99;
    options.clip = 1.0;
    return options;
}

// Share of the rate that is left: 1 at first, a tenth at the end.
double decayed(int64_t step, int64_t steps) {
    return 1.0 - 0.9 * static_cast<double>(step) / static_cast<double>(steps);
}

}  // namespace

std::vector<CorpusLoss> losses(const CopyParameters& p, const std::vector<DocumentCache>& documents,
                               int64_t first_token) {
    const std::vector<MappedDocument> rows = mapped(p, documents);
    return losses_from(p, rows, first_token,
                       [&](size_t d, int64_t block) { return rows[d].far_of_block(block); });
}

std::vector<CorpusLoss> losses_beside_others(const CopyParameters& p,
                                             const std::vector<DocumentCache>& documents,
                                             int64_t first_token) {
    const std::vector<MappedDocument> rows = mapped(p, documents);
    return losses_from(p, rows, first_token,
                       [&](size_t d, int64_t) { return rows[(d + 1) % rows.size()].whole(); });
}

FitStep fit_copy(CopyParameters& p, const std::vector<DocumentCache>& train,
                 const std::vector<DocumentCache>& validation, const FitOptions& options,
                 const std::function<void(const FitStep&)>& tell) {
    const Places places(train, options.first_token);
    if (places.empty() || Places(validation, options.first_token).empty())
        throw Error(Status::kArgument, "rpt",
                    "memory fit: no document is longer than --first-token " +
                        std::to_string(options.first_token) +
                        " and its window; give longer ones, or smaller numbers");
    std::mt19937_64 random(options.seed);
    standardise(p, train, places, random);
    train::AdamW maps({{"query", p.query}, {"key", p.key}}, adam_options());
    train::AdamW gate({{"temperature", p.temperature}, {"bias", p.bias}, {"weights", p.weights}},
                      adam_options());
    std::vector<at::Tensor> leaves;
    for (const auto& [name, tensor] : trained(p)) leaves.push_back(tensor);

    FitStep best;
    std::vector<at::Tensor> kept = copies(p);
    for (int64_t step = 0; step <= options.steps; ++step) {
        if (step % options.every == 0 || step == options.steps) {
            FitStep now{step, 0, losses(p, validation, options.first_token)};
            for (const CorpusLoss& loss : now.corpora)
                now.gain += (loss.without - loss.with) / static_cast<double>(now.corpora.size());
            tell(now);
            if (step == 0 || now.gain > best.gain) {
                best = now;
                kept = copies(p);
            }
        }
        if (step == options.steps) break;
        at::Tensor loss = at::zeros({});
        for (int64_t i = 0; i < options.blocks; ++i) {
            const Place place = places.draw(random);
            const DocumentCache& document = train[place.document];
            loss = loss + mixture_nll(p, queries_of_block(p, document, place.block),
                                      far_of_block(p, document, place.block))
                                  .mean() /
                              static_cast<double>(options.blocks);
        }
        const std::vector<at::Tensor> gradients = train::gradients_of(loss, leaves);
        maps.clear_gradients();
        gate.clear_gradients();
        maps.add_gradients({gradients[0], gradients[1]});
        gate.add_gradients({gradients[2], gradients[3], gradients[4]});
        // the maps wait until the gate has opened
        const double warm = std::min(1.0, static_cast<double>(step) / 50.0),
                     rate = decayed(step, options.steps);
        maps.step(options.map_rate * warm * rate);
        gate.step(options.gate_rate * rate);
    }
    restore(p, kept);
    return best;
}

CopyParameters fit_space_gate(const CopyParameters& own, const std::vector<DocumentCache>& train,
                              const FitOptions& options) {
    const Places places(train, options.first_token);
    CopyParameters p = own;
    std::vector<at::Tensor> leaves;
    for (at::Tensor* part : {&p.temperature, &p.bias, &p.weights}) {
        *part = part->detach().clone().requires_grad_(true);
        leaves.push_back(*part);
    }
    p.query = own.query.detach();
    p.key = own.key.detach();
    train::AdamW gate({{"temperature", p.temperature}, {"bias", p.bias}, {"weights", p.weights}},
                      adam_options());
    std::mt19937_64 random(options.seed + 1);
    std::uniform_real_distribution<double> share;
    const std::vector<MappedDocument> rows = mapped(p, train);
    for (int64_t step = 0; step < options.space_steps; ++step) {
        at::Tensor loss = at::zeros({});
        for (int64_t i = 0; i < options.blocks; ++i) {
            const Place place = places.draw(random);
            const MappedDocument& document = rows[place.document];
            const MappedDocument& other = rows[random() % rows.size()];
            const bool related = share(random) >= options.foreign || &other == &document;
            const FarTokens far = related ? document.far_of_block(place.block) : other.whole();
            loss = loss + mixture_nll(p, document.queries_of_block(place.block), far).mean() /
                              static_cast<double>(options.blocks);
        }
        const std::vector<at::Tensor> gradients = train::gradients_of(loss, leaves);
        gate.clear_gradients();
        gate.add_gradients(gradients);
        gate.step(options.gate_rate * decayed(step, options.space_steps));
    }
    return p;
}

}  // namespace rpt::memory
