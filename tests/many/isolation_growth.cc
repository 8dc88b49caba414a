#include <algorithm>
#include <chrono>
#include <cmath>

#include "tests/fakes/fake_engine.h"
#include "tests/many/isolation.h"
#include "tests/many/marked_store.h"

namespace rpt::many {
namespace {

constexpr uint32_t kDim = 16;

class Growth {
  public:
    explicit Growth(const GrowthOptions& options) : options_(options) {
        storage::StoreOptions choices;
        choices.create = true;
        choices.durability = storage::Durability::kNone;
        choices.flat_limit = options.flat_limit;
        model_.dim = kDim;
        model_.chunk_tokens = 1;
        choices.model = model_;
        store_ = storage::Store::open(options.path, choices);
        small_ = store_->open_space("small", "c", true);
        fill(*small_, {1, 0}, 0, options.small_chunks);
        store_->rebuild_index();
    }

    GrowthStep step(uint64_t others) {
        while (others_ < others) {
            const uint32_t at = uint32_t(others_ / 1000 % options_.other_spaces);
            const auto space = store_->open_space(owner_name(10 + at), "c", true);
            const uint64_t n = std::min<uint64_t>(1000, others - others_);
            fill(*space, {10 + at, 0}, others_, n);
            others_ += n;
        }
        GrowthStep out;
        out.others = others;
        storage::SearchFilter exact;
        exact.exact = true;
        uint64_t right = 0, asked = 0;
        std::vector<double> times;
        for (uint32_t i = 0; i < options_.queries; ++i) {
            const std::vector<float> query = fakes::noise(fakes::mix(options_.seed, i), kDim);
            const auto begin = std::chrono::steady_clock::now();
            const auto hits = ids(store_->search({&small_, 1}, query, 2, {}));
            const std::chrono::duration<double, std::micro> took =
                std::chrono::steady_clock::now() - begin;
            times.push_back(took.count());
            for (const storage::Hit& hit : store_->search({&small_, 1}, query, 2, exact)) {
                ++asked;
                right += uint64_t(std::ranges::count(hits, hit.chunk_id));
            }
            if (first_.size() <= i) first_.push_back(hits);
            out.changed += hits != first_[i];
        }
        out.recall = double(right) / double(asked);
        std::ranges::sort(times);
        out.search_us_p50 = times[times.size() / 2];
        return out;
    }

    void close() {
        small_.reset();
        store_->close();
    }

  private:
    static std::vector<uint64_t> ids(const std::vector<storage::Hit>& hits) {
        std::vector<uint64_t> out;
        for (const storage::Hit& hit : hits) out.push_back(hit.chunk_id);
        return out;
    }
    void fill(storage::Space& space, Mark mark, uint64_t first, uint64_t chunks) {
        for (uint64_t done = 0; done < chunks; done += 100)
            put_document(space, model_, mark, std::string("d").append(std::to_string(first + done)),
                         own_texts(mark, first + done, 0, std::min<uint64_t>(100, chunks - done)),
                         false);
    }

    const GrowthOptions options_;
    storage::ModelBinding model_;
    std::shared_ptr<storage::Store> store_;
    std::shared_ptr<storage::Space> small_;
    uint64_t others_ = 0;
    std::vector<std::vector<uint64_t>> first_;  // answers at the first step
};

}  // namespace

std::vector<GrowthStep> watch_recall(const GrowthOptions& options) {
    Growth growth(options);
    std::vector<GrowthStep> steps;
    for (const uint64_t others : options.others) steps.push_back(growth.step(others));
    growth.close();
    return steps;
}

}  // namespace rpt::many
