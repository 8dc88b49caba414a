#include "core/reader/mass_search.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "base/dot_rows.h"
#include "base/error.h"
#include "core/reader/copy_gate.h"
#include "core/reader/copy_places.h"
#include "core/reader/exp_weights.h"
#include "core/reader/pointer_scan.h"
#include "storage/document_filter.h"

namespace rpt::reader {
namespace {

constexpr size_t kPartsAtOnce = 256;  // between two looks at the call's control

// What the queries put on the chunks: sums of exp(T (cos - 1)) by chunk and query, and by query.
class MassTable {
  public:
    MassTable(std::span<const float> queries, size_t width, double temperature)
        : temperature_(static_cast<float>(temperature)) {
        for (size_t i = 0; i + width <= queries.size(); i += width)
            queries_.emplace_back(queries.subspan(i, width));
        totals_.resize(queries_.size());
    }

    // `score(query, out)` writes cosines of the chunk's n places; those before `first` do not
    // count, nor do the begin tokens among `tokens`, if these are given.
    template <typename Score>
    void add(bool own, uint64_t id, size_t n, size_t first, std::span<const int32_t> tokens,
             int32_t bos, Score score) {
        scores_.resize(n);
        weights_.resize(n);
        chunks_.push_back({own, id, 0});
        for (size_t q = 0; q < queries_.size(); ++q) {
            score(queries_[q], scores_.data());
            weigh_scores(scores_.data(), n, temperature_, weights_.data());
            double sum = 0;
            for (size_t i = first; i < n; ++i)
                if (tokens.empty() || tokens[i] != bos) sum += double(weights_[i]);
            sums_.push_back(static_cast<float>(sum));
            totals_[q] += sum;
        }
    }

    std::vector<Found> by_mass() {
        const size_t n = queries_.size();
        for (size_t c = 0; c < chunks_.size(); ++c) {
            double mass = 0;
            for (size_t q = 0; q < n; ++q) mass += double(sums_[c * n + q]) / totals_[q];
            chunks_[c].score = static_cast<float>(mass / double(n));
        }
        std::erase_if(chunks_, [](const Found& one) { return !(one.score > 0); });
        std::ranges::sort(chunks_, [](const Found& a, const Found& b) {
            if (a.score != b.score) return a.score > b.score;
            return a.own != b.own ? a.own : a.id < b.id;
        });
        return std::move(chunks_);
    }

  private:
    float temperature_;
    std::vector<CopyQuery> queries_;
    std::vector<float> scores_, weights_;
    std::vector<Found> chunks_;
    std::vector<float> sums_;  // [chunks, queries]
    std::vector<double> totals_;
};

}  // namespace

// What a filter lets through, asked in the order of the scores.
class MassSearch::Allowed {
  public:
    Allowed(storage::Store* store, const storage::SearchFilter& filter)
        : store_(store), filter_(filter) {}

    bool operator()(const Found& one) {
        if (filter_.min_score && one.score < *filter_.min_score) return false;
        if (one.own || (filter_.max_per_document == 0 && !storage::leaves_documents_out(filter_)))
            return true;
        const std::optional<storage::HitInfo> info = store_->describe(one.id, filter_);
        if (!info || !storage::passes_document(filter_, info->key, info->timestamp_ms))
            return false;
        const ByteSpan hidden = filter_.exclude_bytes;
        if (!filter_.exclude_key.empty() && info->key == filter_.exclude_key &&
            (hidden.size() == 0 ||
             (info->bytes.begin < hidden.end && hidden.begin < info->bytes.end)))
            return false;
        return filter_.max_per_document == 0 ||
               ++taken_[info->document_id] <= filter_.max_per_document;
    }

  private:
    storage::Store* store_;
    const storage::SearchFilter& filter_;
    std::map<uint64_t, uint32_t> taken_;
};

MassSearch::MassSearch(const engine::Engine& engine, storage::Store* store,
                       std::span<const std::shared_ptr<storage::Space>> spaces)
    : engine_(engine),
      store_(store),
      temperature_(CopySettings::read(engine.copy_numbers()).own.temperature) {
    for (const std::shared_ptr<storage::Space>& space : spaces)
        if (std::ranges::none_of(spaces_, [&](const auto& known) {
                return known->owner() == space->owner() &&
                       known->collection() == space->collection();
            }))
            spaces_.push_back(space);
}

std::vector<Found> MassSearch::choose(const ChunkQuestion& question, const RetrieveOptions& options,
                                      const CallControl& control) const {
    const model::ModelConfig& config = engine_.config();
    if (question.queries.empty()) return {};
    MassTable table(question.queries, static_cast<size_t>(config.pointer_width), temperature_);
    const int32_t bos = engine_.tokenizer()->bos();
    for (const auto& space : spaces_) {
        const auto snapshot = store_->pointers(space, control);
        for (size_t part = 0; part < snapshot->parts.size(); ++part) {
            if (part % kPartsAtOnce == 0) control.check();
            const storage::PointerSlice rows = snapshot->parts[part].rows();
            table.add(false, rows.chunk, rows.tokens.size(), 0, rows.tokens, bos,
                      [&](const CopyQuery& query, float* out) {
                          scan_pointers(rows.nibbles.data(), rows.scales.data(), rows.scales.size(),
                                        query.whole, out);
                      });
        }
    }
    const auto m = static_cast<size_t>(config.chunk);
    const OwnPointers* const own = question.own;
    for (size_t chunk = 0; own != nullptr && static_cast<int64_t>(chunk) <= question.own_last;
         ++chunk) {
        if (chunk % kPartsAtOnce == 0) control.check();
        RPT_CHECK((chunk + 1) * m <= own->size());
        // position 0 is the begin token
        table.add(true, chunk, m, chunk == 0 ? 1 : 0, {}, bos,
                  [&](const CopyQuery& query, float* out) {
                      dot_rows(own->rows(chunk * m), m, own->columns(), query.padded.data(), out);
                  });
    }
    const size_t k = options.k != 0 ? options.k : static_cast<size_t>(config.neighbours);
    Allowed allowed(store_, options.filter);
    std::vector<Found> found;
    for (const Found& one : table.by_mass()) {
        if (found.size() == k) break;
        if (allowed(one)) found.push_back(one);
    }
    return found;
}

}  // namespace rpt::reader
