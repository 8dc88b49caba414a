// Copying from a large space in two stages.
#include <algorithm>
#include <bit>

#include "core/reader/copy_sums.h"
#include "core/reader/copy_weights.h"

namespace rpt::reader {
namespace {

using storage::PointerPage;

// Rows of a page that are compared, with what becomes of them.
struct Choice {
    std::vector<uint32_t> rows;
    std::vector<int32_t> slots;
    std::vector<float> scores, weights;

    void weigh(const CopyNumbers& numbers, uint64_t times, CopySums& sum) {
        weights.resize(scores.size());
        const WeighedPlaces weighed = weigh_places(
            scores.data(), slots.data(), scores.size(), static_cast<float>(numbers.temperature),
            static_cast<float>(numbers.threshold), weights.data());
        sum.near += times * weighed.near;
        sum.best = std::max(sum.best, weighed.best);
        sum.add(slots.data(), weights.data(), scores.size(), double(times));
    }
};

size_t padded_rows(const PointerPage& page) {
    return page.blocks() * PointerPage::kBlock;
}

// The first look of each query at every page: [queries, padded rows of all pages], 0 where there is
// no row.
std::vector<uint8_t> look(std::span<const PagePlaces> pages, std::span<const CopyQuery> queries) {
    size_t padded = 0, begin = 0;
    for (const PagePlaces& place : pages) padded += padded_rows(*place.page);
    std::vector<uint8_t> looks(queries.size() * padded);
    for (const PagePlaces& place : pages) {
        const PointerPage& page = *place.page;
        for (size_t q = 0; q < queries.size(); ++q) {
            uint8_t* out = looks.data() + q * padded + begin;
            scan_signs(page.signs().data(), page.blocks(), queries[q].signs, out);
            std::fill(out + page.rows(), out + padded_rows(page), uint8_t{0});
        }
        begin += padded_rows(page);
    }
    return looks;
}

// The rows whose signs reach the level.
void add_best(const PagePlaces& place, std::span<const int32_t> slots, const CopyNumbers& numbers,
              const CopyQuery& query, const uint8_t* looks, uint8_t level, Choice& choice,
              CopySums& sum) {
    const PointerPage& page = *place.page;
    choice.rows.clear();
    for (size_t b = 0; b < page.blocks(); ++b)
        for (uint64_t bits = reach(looks + b * PointerPage::kBlock, level); bits != 0;
             bits &= bits - 1)
            choice.rows.push_back(
                static_cast<uint32_t>(b * PointerPage::kBlock + size_t(std::countr_zero(bits))));
    choice.scores.resize(choice.rows.size());
    scan_some_pointers(page.nibbles(), page.scales(), choice.rows.data(), choice.rows.size(),
                       query.whole, choice.scores.data());
    choice.slots.clear();
    for (const uint32_t row : choice.rows) {
        choice.slots.push_back(slots[place.begin + row]);
        sum.read.which.push_back(static_cast<uint32_t>(place.begin + row));
    }
    choice.weigh(numbers, 1, sum);
    sum.read.weights.insert(sum.read.weights.end(), choice.weights.begin(), choice.weights.end());
}

// The sample stands for all rows that do not reach it.
void add_sample(const PagePlaces& place, const CopyNumbers& numbers, const CopyQuery& query,
                const uint8_t* looks, uint8_t level, Choice& choice, CopySums& sum) {
    const PointerPage::Sample& sample = place.page->sample();
    choice.scores.resize(sample.rows.size());
    scan_pointers(sample.nibbles.data(), sample.scales.data(), sample.rows.size(), query.whole,
                  choice.scores.data());
    choice.slots = place.sample_slots;
    for (size_t i = 0; i < sample.rows.size(); ++i)
        if (looks[sample.rows[i]] >= level) choice.slots[i] = FollowerSlots::kNone;
    choice.weigh(numbers, PointerPage::kSampleOneIn, sum);
}

}  // namespace

void add_best_places(const CopyPlaces& places, const CopyNumbers& numbers,
                     std::span<const CopyQuery> queries, std::span<CopySums> sums) {
    const std::span<const PagePlaces> pages = places.pages();
    const std::vector<uint8_t> looks = look(pages, queries);
    const size_t padded = looks.size() / queries.size();
    std::vector<uint8_t> levels;
    for (size_t q = 0; q < queries.size(); ++q) {
        levels.push_back(
            level_of(std::span(looks).subspan(q * padded, padded), places.most_best()));
        sums[q].read.every = false;
    }
    Choice choice;
    size_t begin = 0;
    for (const PagePlaces& place : pages) {
        for (size_t q = 0; q < queries.size(); ++q) {
            const uint8_t* here = looks.data() + q * padded + begin;
            add_best(place, places.slots(), numbers, queries[q], here, levels[q], choice, sums[q]);
            add_sample(place, numbers, queries[q], here, levels[q], choice, sums[q]);
        }
        begin += padded_rows(*place.page);
    }
}

}  // namespace rpt::reader
