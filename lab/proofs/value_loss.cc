#include "lab/proofs/value_loss.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "lab/proofs/own_neighbours.h"
#include "lab/proofs/random_draws.h"
#include "lab/train/candidates.h"
#include "lab/train/neighbour_choice.h"

namespace rpt::proofs {
namespace {

constexpr int64_t kTogether = 8;                 // documents a forward pass
constexpr uint64_t kFirstMeasured = 1ULL << 40;  // numbers that no training step draws
constexpr uint64_t kRandomSeed = 0x72616e646f6dULL;
constexpr int64_t kRecallAt = 2;

using Rankings = std::vector<std::vector<int32_t>>;  // of each chunk, best first

// The documents of one forward pass, with what each of their chunks may read.
struct Pass {
    std::vector<Document> documents;
    std::vector<Rankings> own, bm25, bm25_answered;
};

Rankings rank_by_bm25(const model::ModelConfig& config, train::GivenQuery query,
                      const Document& document, int64_t k) {
    const std::vector<int32_t> ids(document.inputs.begin(), document.inputs.end() - 1);
    const train::ChunkLists lists =
        train::make_given_neighbours(config, query, k, ids, static_cast<int64_t>(ids.size()));
    Rankings ranking(document.gold.size());
    for (size_t slot = 0; slot < lists.chunk.size(); ++slot) {
        if (lists.chunk[slot] >= 0)
            ranking[slot / static_cast<size_t>(lists.width)].push_back(lists.chunk[slot]);
    }
    return ranking;
}

Rankings rank_by_chance(const model::ModelConfig& config, int64_t chunks, int64_t k,
                        uint64_t stream) {
    RandomDraws draws(kRandomSeed, stream);
    Rankings ranking(static_cast<size_t>(chunks));
    for (int64_t i = 0; i < chunks; ++i) {
        const int64_t pool = std::max<int64_t>(0, model::last_retrievable(config, i) + 1);
        for (const int64_t j : draws.different(std::min(k, pool), pool))
            ranking[static_cast<size_t>(i)].push_back(static_cast<int32_t>(j));
    }
    return ranking;
}

Rankings gold_first(const Document& document, const Rankings& rest) {
    Rankings ranking = rest;
    for (size_t i = 0; i < ranking.size(); ++i) {
        if (document.gold[i] < 0) continue;
        std::erase(ranking[i], document.gold[i]);
        ranking[i].insert(ranking[i].begin(), document.gold[i]);
    }
    return ranking;
}

// Questions whose gold chunk is among the first `k`.
int64_t count_found(const Document& document, const Rankings& rankings, int64_t k) {
    int64_t found = 0;
    for (size_t i = 0; i < rankings.size(); ++i) {
        const auto end = rankings[i].begin() + std::min(k, std::ssize(rankings[i]));
        found +=
            document.gold[i] >= 0 && std::find(rankings[i].begin(), end, document.gold[i]) != end;
    }
    return found;
}

// The same, where the gold chunk may also be read as the successor of one that was found.
int64_t count_shown(const Document& document, Rankings rankings, int64_t k) {
    for (auto& ranking : rankings) {
        ranking.resize(static_cast<size_t>(std::min(k, std::ssize(ranking))));
        for (size_t n = ranking.size(); n-- > 0;) ranking.push_back(ranking[n] + 1);
    }
    return count_found(document, rankings, 2 * k);
}

struct Sums {
    double value = 0, first = 0, all = 0;
    int64_t shown = 0;
};

class Meter {
  public:
    Meter(const Task& task, const model::RptModel& model, int64_t k)
        : task_(task), model_(model), k_(k > 0 ? k : model.config().neighbours) {}

    void read(int64_t first, int64_t count, int64_t length, uint64_t seed) {
        const model::ModelConfig& config = model_.config();
        Pass pass;
        for (int64_t n = first; n < first + count; ++n)
            pass.documents.push_back(
                task_.make(config, length, seed, kFirstMeasured + static_cast<uint64_t>(n)));
        const auto [inputs, targets] = token_tensors(pass, length);
        const model::LowerOutput low = model_.lower(inputs);
        const int64_t kept = std::max(k_, kRecallAt);
        for (const Document& document : pass.documents) {
            pass.bm25.push_back(rank_by_bm25(config, train::GivenQuery::kChunk, document, kept));
            pass.bm25_answered.push_back(
                rank_by_bm25(config, train::GivenQuery::kChunkAndTarget, document, kRecallAt));
        }
        pass.own = config.has_retriever() ? own_rankings(model_, low, kept) : pass.bm25;
        count_questions(pass);
        const bool reads = config.retrieval != model::RetrievalKind::kNone && config.has_cca();
        for (const Reading reading : kReadings) {
            if (!reads && reading != Reading::kNone) continue;
            model::RptModel::Diagnostics seen;
            const bool diagnose = reading == Reading::kOwn;
            const std::vector<Rankings> read = neighbours(pass, reading, first);
            const at::Tensor hidden =
                model_.upper(low, read.empty() ? at::Tensor() : neighbour_tensor(read, k_),
                             diagnose ? &seen : nullptr);
            Sums& sums = sums_[reading];
            add(pass, model_.token_nll(hidden, targets).to(at::kFloat).contiguous(), sums);
            for (size_t b = 0; b < read.size(); ++b)
                sums.shown += count_shown(pass.documents[b], read[b], k_);
            if (seen.gate_mean.defined()) gate_ += seen.gate_mean.item<double>();
            if (seen.null_mass.defined()) null_ += seen.null_mass.item<double>();
            has_gate_ = has_gate_ || seen.gate_mean.defined();
            has_null_ = has_null_ || seen.null_mass.defined();
        }
        ++passes_;
    }

    Measured result() const {
        Measured m;
        const auto mean = [](auto sum, int64_t n) {
            return n > 0 ? static_cast<double>(sum) / static_cast<double>(n) : 0.0;
        };
        for (const auto& [reading, sums] : sums_)
            m.loss[reading] = {mean(sums.value, values_), mean(sums.first, firsts_),
                               mean(sums.all, tokens_), mean(sums.shown, questions_)};
        if (questions_ > 0) {
            m.bm25_recall = mean(bm25_found_, questions_);
            m.answered_recall = mean(answered_found_, questions_);
            if (model_.config().has_retriever()) m.own_recall = mean(own_found_, questions_);
        }
        if (has_gate_) m.gate_mean = mean(gate_, passes_);
        if (has_null_) m.null_mass = mean(null_, passes_);
        m.questions = questions_;
        m.values = values_;
        return m;
    }

  private:
    static std::pair<at::Tensor, at::Tensor> token_tensors(const Pass& pass, int64_t length) {
        at::Tensor tokens = at::empty({std::ssize(pass.documents), length + 1}, at::kLong);
        int64_t* out = tokens.data_ptr<int64_t>();
        for (const Document& document : pass.documents)
            out = std::copy(document.inputs.begin(), document.inputs.end(), out);
        return {tokens.narrow(1, 0, length).contiguous(), tokens.narrow(1, 1, length).contiguous()};
    }

    // Of each document of the pass; empty where nothing is read.
    std::vector<Rankings> neighbours(const Pass& pass, Reading reading, int64_t first) const {
        std::vector<Rankings> rankings;
        for (size_t b = 0; b < pass.documents.size(); ++b) {
            switch (reading) {
                case Reading::kNone:
                    return {};
                case Reading::kOwn:
                    rankings.push_back(pass.own[b]);
                    break;
                case Reading::kOracle:
                    rankings.push_back(gold_first(pass.documents[b], pass.own[b]));
                    break;
                case Reading::kRandom:
                    rankings.push_back(rank_by_chance(model_.config(),
                                                      std::ssize(pass.documents[b].gold), k_,
                                                      static_cast<uint64_t>(first) + b));
                    break;
            }
        }
        return rankings;
    }

    void count_questions(const Pass& pass) {
        for (size_t b = 0; b < pass.documents.size(); ++b) {
            const Document& d = pass.documents[b];
            questions_ +=
                std::count_if(d.gold.begin(), d.gold.end(), [](int32_t g) { return g >= 0; });
            values_ += std::count(d.value.begin(), d.value.end(), uint8_t{1});
            firsts_ += std::count(d.first.begin(), d.first.end(), uint8_t{1});
            tokens_ += std::ssize(d.value);
            own_found_ += count_found(d, pass.own[b], kRecallAt);
            bm25_found_ += count_found(d, pass.bm25[b], kRecallAt);
            answered_found_ += count_found(d, pass.bm25_answered[b], kRecallAt);
        }
    }

    static void add(const Pass& pass, const at::Tensor& nll, Sums& sums) {
        const float* at = nll.const_data_ptr<float>();
        for (const Document& d : pass.documents) {
            for (size_t p = 0; p < d.value.size(); ++p, ++at) {
                const double one = static_cast<double>(*at);
                sums.all += one;
                if (d.value[p]) sums.value += one;
                if (d.first[p]) sums.first += one;
            }
        }
    }

    const Task& task_;
    const model::RptModel& model_;
    int64_t k_;
    std::map<Reading, Sums> sums_;
    double gate_ = 0, null_ = 0;
    bool has_gate_ = false, has_null_ = false;
    int64_t own_found_ = 0, bm25_found_ = 0, answered_found_ = 0;
    int64_t questions_ = 0, values_ = 0, firsts_ = 0, tokens_ = 0, passes_ = 0;
};

}  // namespace

const char* reading_name(Reading reading) {
    switch (reading) {
        case Reading::kOwn:
            return "own";
        case Reading::kOracle:
            return "oracle";
        case Reading::kRandom:
            return "random";
        case Reading::kNone:
            return "none";
    }
    return "";
}

Measured measure(const Task& task, const model::RptModel& model, int64_t documents, int64_t length,
                 uint64_t seed, int64_t k) {
    const at::NoGradGuard no_grad;
    Meter meter(task, model, k);
    for (int64_t n = 0; n < documents; n += kTogether)
        meter.read(n, std::min(kTogether, documents - n), length, seed);
    return meter.result();
}

}  // namespace rpt::proofs
