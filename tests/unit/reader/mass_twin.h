// The plain way to choose chunks by mass: every place by itself, in doubles.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "storage/codec/pointer_codec.h"
#include "storage/store.h"
#include "tests/fakes/fake_engine.h"

namespace rpt::reader {

using Spaces = std::vector<std::shared_ptr<storage::Space>>;
using ChunkName = std::pair<bool, uint64_t>;  // own, number

struct MassPlace {
    ChunkName chunk;
    std::vector<float> key;
};

// A fake frozen decoder whose pointers are made in the upper half (`deep`) or in the lower one.
inline std::shared_ptr<fakes::FakeEngine> frozen_engine(bool deep, uint32_t reading) {
    auto engine = std::make_shared<fakes::FakeEngine>();
    model::ModelConfig& config = engine->mutable_config();
    config.cca_layers.clear();
    config.retrieval = model::RetrievalKind::kPointer;
    config.pointer_layer = deep ? 2 : 1;
    config.pointer_width = 12;
    config.reading = reading;
    return engine;
}

inline std::vector<MassPlace> stored_places(storage::Store& store, const Spaces& spaces,
                                            size_t width, int32_t bos) {
    std::vector<MassPlace> places;
    for (const auto& space : spaces) {
        const auto snapshot = store.pointers(space);
        for (const auto& part : snapshot->parts) {
            const std::vector<float> keys = storage::expand_pointers(part.rows(), uint32_t(width));
            const auto tokens = part.rows().tokens;
            for (size_t t = 0; t < tokens.size(); ++t)
                if (tokens[t] != bos)
                    places.push_back({{false, part.chunk()},
                                      {keys.begin() + ptrdiff_t(t * width),
                                       keys.begin() + ptrdiff_t((t + 1) * width)}});
        }
    }
    return places;
}

// The k chunks with the greatest part of the mass of `queries`, best first.
inline std::vector<ChunkName> best_by_mass(const std::vector<MassPlace>& places,
                                           std::span<const std::vector<float>> queries, size_t k) {
    std::map<ChunkName, double> mass;
    for (const std::vector<float>& query : queries) {
        double total = 0;
        std::vector<double> weights;
        for (const MassPlace& place : places) {
            double cosine = 0;
            for (size_t i = 0; i < query.size(); ++i)
                cosine += double(query[i]) * double(place.key[i]);
            weights.push_back(std::exp(20 * cosine));
            total += weights.back();
        }
        for (size_t i = 0; i < places.size(); ++i) mass[places[i].chunk] += weights[i] / total;
    }
    std::vector<std::pair<double, ChunkName>> order;
    for (const auto& [chunk, part] : mass) order.push_back({-part, chunk});
    std::ranges::sort(order);
    std::vector<ChunkName> best;
    for (size_t i = 0; i < std::min(k, order.size()); ++i) best.push_back(order[i].second);
    return best;
}

}  // namespace rpt::reader
