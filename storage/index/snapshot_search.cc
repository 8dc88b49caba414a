#include "storage/index/snapshot_search.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/dot_rows.h"
#include "storage/index/key_means.h"

namespace rpt::storage {
namespace {

constexpr size_t kRowsBetweenChecks = 16384;
constexpr size_t kMaxGraphFetch = 1024;  // beyond, the exact scan costs about as much

struct Candidate {
    float score = 0;
    uint64_t chunk = 0;
    uint64_t segment = 0;  // of the document
};

bool better(const Candidate& a, const Candidate& b) {
    return a.score > b.score || (a.score == b.score && a.chunk < b.chunk);
}

struct Question {
    float root = 1;  // sqrt(dim)
    const SearchFilter& filter;
    RowFilter& documents;
    const CallControl& control;
    const bool filtered = documents.excludes_some();

    bool passes(const RowRun& run, size_t row, float score) const {
        if (filter.min_score && score < *filter.min_score) return false;
        if (!run.is_live(row)) return false;
        return !filtered || !documents.is_excluded(run.rows->facts(row));
    }
};

// The search of one run, which can be asked again for more.
class RunSearch {
  public:
    // `query` [columns] outlives it.
    RunSearch(const RowRun& run, const float* query, const Question& question)
        : run_(run),
          query_(query),
          question_(question),
          flat_(question.filter.exact || !run.graph) {}

    // Up to n candidates that pass the filter (but not max_per_document) are added to `out`.
    void fetch(size_t n, std::vector<Candidate>& out) {
        if (!flat_ && (n > kMaxGraphFetch || n * 4 > run_.rows->size())) flat_ = true;
        if (flat_) {
            fetch_flat(n, out);
        } else {
            fetch_graph(n, out);
        }
    }
    // Whether something that fetch() left out could come before `last`.
    bool may_hide_better_than(const Candidate& last) const {
        return !complete_ && better(frontier_, last);
    }
    bool complete() const { return complete_; }

  private:
    void fetch_flat(size_t n, std::vector<Candidate>& out) {
        const KeyRows& rows = *run_.rows;
        if (scores_.empty()) {
            scores_.resize(rows.size());
            for (size_t begin = 0; begin < rows.size(); begin += kRowsBetweenChecks) {
                question_.control.check();
                const size_t count = std::min(kRowsBetweenChecks, rows.size() - begin);
                dot_rows(rows.key(begin), count, rows.columns(), query_, scores_.data() + begin);
            }
            for (float& score : scores_) score /= question_.root;
        }
        std::vector<Candidate> best;  // a heap, the worst in front
        complete_ = true;
        for (size_t row = 0; row < scores_.size(); ++row) {
            const float score = scores_[row];
            if (best.size() == n && score < best.front().score) {
                complete_ = false;
                continue;
            }
            if (!question_.passes(run_, row, score)) continue;
            const Candidate candidate{score, rows.facts(row).chunk, rows.facts(row).segment};
            if (best.size() == n) {
                complete_ = false;
                if (!better(candidate, best.front())) continue;
                std::ranges::pop_heap(best, better);
                best.back() = candidate;
            } else {
                best.push_back(candidate);
            }
            std::ranges::push_heap(best, better);
        }
        if (!complete_) frontier_ = best.front();
        out.insert(out.end(), best.begin(), best.end());
    }

    void fetch_graph(size_t n, std::vector<Candidate>& out) {
        const KeyRows& rows = *run_.rows;
        question_.control.check();
        bool first = true;
        for (const HnswGraph::Candidate& found : run_.graph->search(rows, query_, n)) {
            const RowFacts& facts = rows.facts(found.row);
            const Candidate candidate{found.score / question_.root, facts.chunk, facts.segment};
            if (first || better(frontier_, candidate)) frontier_ = candidate;
            first = false;
            if (question_.passes(run_, found.row, candidate.score)) out.push_back(candidate);
        }
        const auto& min_score = question_.filter.min_score;
        complete_ = !first && min_score && frontier_.score < *min_score;
    }

    const RowRun& run_;
    const float* query_;
    const Question& question_;
    bool flat_;
    bool complete_ = false;
    Candidate frontier_;  // the worst that was seen when not complete: nothing better was left out
    std::vector<float> scores_;  // [rows], of a flat search
};

std::vector<Candidate> choose(std::vector<Candidate>& candidates, size_t k,
                              uint32_t max_per_document, RowFilter& documents) {
    std::ranges::sort(candidates, better);
    std::vector<Candidate> chosen;
    std::map<uint64_t, uint32_t> taken;  // by document
    for (const Candidate& candidate : candidates) {
        if (chosen.size() == k) break;
        if (max_per_document != 0 &&
            taken[documents.document_of({candidate.chunk, candidate.segment, 0})]++ >=
                max_per_document)
            continue;
        chosen.push_back(candidate);
    }
    return chosen;
}

}  // namespace

std::vector<Hit> search_snapshots(std::span<const std::shared_ptr<const Snapshot>> snapshots,
                                  std::span<const float> query, size_t k,
                                  const SearchFilter& filter, RowFilter& documents,
                                  const CallControl& control) {
    size_t live = 0;
    for (const auto& snapshot : snapshots) live += snapshot->live();
    k = std::min(k, live);
    if (k == 0) return {};
    const Question question{std::sqrt(static_cast<float>(query.size())), filter, documents,
                            control};
    std::vector<std::vector<float>> asked;  // of each snapshot
    std::vector<RunSearch> searches;
    asked.reserve(snapshots.size());
    for (const auto& snapshot : snapshots) {
        std::vector<float>& row = asked.emplace_back(query.begin(), query.end());
        if (filter.weigh_by_idf) weigh_by_idf(*snapshot, row);
        row.resize(padded_columns(query.size()));
        for (const RowRun& run : snapshot->runs) searches.emplace_back(run, row.data(), question);
    }

    std::vector<Candidate> chosen;
    for (size_t n = filter.max_per_document != 0 ? k * 4 : k + 8;; n *= 4) {
        std::vector<Candidate> candidates;
        for (RunSearch& search : searches) search.fetch(n, candidates);
        chosen = choose(candidates, k, filter.max_per_document, documents);
        const bool more = std::ranges::any_of(searches, [&](const RunSearch& search) {
            return chosen.size() < k ? !search.complete()
                                     : search.may_hide_better_than(chosen.back());
        });
        if (!more) break;
    }
    std::vector<Hit> hits;
    for (const Candidate& candidate : chosen) hits.push_back({candidate.chunk, candidate.score});
    return hits;
}

}  // namespace rpt::storage
