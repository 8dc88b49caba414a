#include "lab/eval/system_comparison.h"

#include <algorithm>

#include "base/error.h"

namespace rpt::eval {
namespace {

bool counts(const ReadDocument& document, const ComparisonOptions& options) {
    return options.collection.empty() || document.collection == options.collection;
}

std::vector<std::vector<double>> nats_of(const System& system, const ComparisonOptions& options) {
    std::vector<std::vector<double>> nats;
    for (const Reading& reading : system.trainings) {
        nats.emplace_back();
        for (const ReadDocument& d : reading.documents) {
            if (counts(d, options)) nats.back().push_back(d.nats);
        }
    }
    return nats;
}

// Nats of an entry, mean over trainings.
double mean_entry(const System& system, size_t document, size_t entry) {
    double sum = 0;
    for (const Reading& reading : system.trainings)
        sum += reading.documents[document].chunk_nats[entry];
    return sum / static_cast<double>(system.trainings.size());
}

struct Place {
    char flag;      // what the retrieving system found
    int64_t token;  // first of the entry, in its span
};

// Sums of documents in classes that `key_of(Place)` names.
template <typename Key, typename KeyOf>
std::map<Key, Part> split(const System& a, const System& b, const ComparisonOptions& options,
                          KeyOf key_of) {
    struct Sums {
        std::vector<double> a, b;
        std::vector<int64_t> tokens;
    };
    const bool by_a = a.trainings[0].retrieves;
    const System& finder = by_a ? a : b;
    const auto trainings = static_cast<double>(finder.trainings.size());
    const size_t n = a.trainings[0].documents.size();
    std::map<Key, Sums> classes;
    for (size_t d = 0; d < n; ++d) {
        if (!counts(a.trainings[0].documents[d], options)) continue;
        for (const Reading& reading : finder.trainings) {
            const ReadDocument& document = reading.documents[d];
            size_t entry = 0;
            for (const int64_t in_span : document.spans) {
                for (int64_t e = 0; e < in_span; ++e, ++entry) {
                    const int64_t first = std::max<int64_t>(0, e * reading.chunk - 1);
                    Sums& sums = classes[key_of(Place{document.chunk_flags[entry], first})];
                    sums.a.resize(n, 0.0);
                    sums.b.resize(n, 0.0);
                    sums.tokens.resize(n, 0);
                    const double found = document.chunk_nats[entry];
                    sums.a[d] += by_a ? found : mean_entry(a, d, entry);
                    sums.b[d] += by_a ? mean_entry(b, d, entry) : found;
                    sums.tokens[d] += document.chunk_tokens[entry];
                }
            }
        }
    }
    std::map<Key, Part> parts;
    for (const auto& [key, sums] : classes) {
        Part part;
        double total = 0;
        for (size_t d = 0; d < n; ++d) {
            part.a += sums.a[d];
            part.b += sums.b[d];
            total += static_cast<double>(sums.tokens[d]);
        }
        if (total == 0) continue;
        part.tokens = static_cast<int64_t>(total / trainings);
        part.a /= total;
        part.b /= total;
        part.difference =
            paired_bootstrap(sums.a, sums.b, sums.tokens, options.resamples, options.seed);
        parts[key] = part;
    }
    return parts;
}

}  // namespace

void require_same_documents(const std::vector<System>& systems) {
    const auto& expected = systems.at(0).trainings.at(0).documents;
    for (const System& system : systems) {
        for (const Reading& reading : system.trainings) {
            const auto fail = [&](const std::string& why) {
                throw Error(Status::kArgument, "rpt",
                            "system \"" + system.name + "\" read other text than \"" +
                                systems[0].name + "\": " + why +
                                "; evaluate both on the same shards with the same limits");
            };
            if (reading.documents.size() != expected.size()) {
                fail(std::to_string(reading.documents.size()) + " documents against " +
                     std::to_string(expected.size()));
            }
            for (size_t d = 0; d < expected.size(); ++d) {
                const ReadDocument& document = reading.documents[d];
                if (document.id != expected[d].id ||
                    document.collection != expected[d].collection ||
                    document.tokens != expected[d].tokens) {
                    fail("document " + std::to_string(d) + " is \"" + document.id + "\" of " +
                         std::to_string(document.tokens) + " tokens, not \"" + expected[d].id +
                         "\" of " + std::to_string(expected[d].tokens));
                }
            }
        }
    }
}

Difference compare_systems(const System& a, const System& b, const ComparisonOptions& options) {
    std::vector<int64_t> tokens;
    for (const ReadDocument& d : a.trainings[0].documents) {
        if (counts(d, options)) tokens.push_back(d.tokens);
    }
    return paired_bootstrap(nats_of(a, options), nats_of(b, options), tokens, options.resamples,
                            options.seed);
}

bool chunks_fit(const System& a, const System& b) {
    const auto& expected = a.trainings[0].documents;
    for (const System* system : {&a, &b}) {
        for (const Reading& reading : system->trainings) {
            if (reading.chunk != a.trainings[0].chunk) return false;
            for (size_t d = 0; d < expected.size(); ++d) {
                const ReadDocument& document = reading.documents[d];
                if (document.chunk_nats.empty() || document.spans != expected[d].spans ||
                    document.chunk_tokens != expected[d].chunk_tokens) {
                    return false;
                }
            }
        }
    }
    return true;
}

std::map<std::string, Part> compare_by_gold(const System& a, const System& b,
                                            const ComparisonOptions& options) {
    return split<std::string>(a, b, options, [](const Place& place) {
        switch (place.flag) {
            case '1':
                return "gold";
            case '0':
                return "no_gold";
            case '-':
                return "not_scored";
            default:
                return "no_pool";
        }
    });
}

std::map<int64_t, Part> compare_by_position(const System& a, const System& b,
                                            const ComparisonOptions& options) {
    return split<int64_t>(a, b, options, [](const Place& place) {
        int64_t begin = 0;
        for (int64_t end = 512; place.token >= end; end *= 2) begin = end;
        return begin;
    });
}

}  // namespace rpt::eval
