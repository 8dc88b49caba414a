#include "apps/rpt-lab/comparison_tables.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <type_traits>

namespace rpt::lab {
namespace {

using Json = nlohmann::ordered_json;

double percent(double nats) {
    return 100 * (std::exp(nats) - 1);
}

Json difference_json(const eval::Difference& d) {
    return {{"nats", d.mean},
            {"low", d.low},
            {"high", d.high},
            {"share_below", d.share_below},
            {"perplexity_percent",
             {{"mean", percent(d.mean)}, {"low", percent(d.low)}, {"high", percent(d.high)}}}};
}

// A system by itself, over the documents of a collection or all.
Json system_json(const eval::System& system, const std::string& collection) {
    Json json = {{"system", system.name}, {"row", system.row}};
    double all = 0, bytes = 0;
    int64_t tokens = 0;
    for (const eval::Reading& reading : system.trainings) {
        double nats = 0;
        tokens = 0;
        bytes = 0;
        for (const eval::ReadDocument& d : reading.documents) {
            if (!collection.empty() && d.collection != collection) continue;
            nats += d.nats;
            tokens += d.tokens;
            bytes += static_cast<double>(d.bytes);
        }
        json["trainings"].push_back(nats / static_cast<double>(std::max<int64_t>(1, tokens)));
        all += nats / static_cast<double>(system.trainings.size());
    }
    const double mean = all / static_cast<double>(std::max<int64_t>(1, tokens));
    json["tokens"] = tokens;
    json["nats"] = mean;
    json["perplexity"] = std::exp(mean);
    if (bytes > 0) json["bits_per_byte"] = all / std::log(2.0) / bytes;
    return json;
}

template <typename Key>
Json parts_json(const std::map<Key, eval::Part>& parts) {
    Json json;
    for (const auto& [key, part] : parts) {
        std::string name;
        if constexpr (std::is_same_v<Key, std::string>) {
            name = key;
        } else {
            name = std::to_string(key);
        }
        json[name] = {
            {"tokens", part.tokens}, {"nats_of_system", part.a}, {"nats_against", part.b}};
        json[name].update(difference_json(part.difference));
    }
    return json;
}

}  // namespace

Json comparison_json(const std::vector<eval::System>& systems, const eval::System& against,
                     const eval::ComparisonOptions& options) {
    Json list = Json::array();
    for (const eval::System& system : systems) {
        Json json = system_json(system, options.collection);
        if (&system != &against) {
            json["difference"] = difference_json(eval::compare_systems(system, against, options));
            if (eval::chunks_fit(system, against)) {
                if (system.trainings[0].retrieves || against.trainings[0].retrieves)
                    json["by_gold"] = parts_json(eval::compare_by_gold(system, against, options));
                json["by_position"] =
                    parts_json(eval::compare_by_position(system, against, options));
            }
        }
        list.push_back(std::move(json));
    }
    return list;
}

}  // namespace rpt::lab
