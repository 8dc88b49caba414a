// Owners that must not see each other: what they ask in great number, how well a small one is
// served beside large ones, and whether the time of a call tells what another owner stored.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rpt::many {

struct CrowdOptions {
    std::string path;  // of a store that is made
    uint32_t owners = 1000;
    uint64_t operations = 1000000;  // searches and sessions, of all threads together
    uint32_t session_every = 40;    // one operation in so many reads, generates and scores
    uint32_t threads = 2;
    uint32_t pause_us = 2000;  // of the thread that writes, between changes
    uint64_t seed = 1;
};

struct CrowdResult {
    uint64_t searches = 0, sessions = 0;
    uint64_t chunks_seen = 0;  // hits, and neighbours that a model was given
    uint64_t empty = 0;        // searches that found nothing
    uint64_t gone = 0;         // hits deleted between search and description
    uint64_t foreign = 0;      // chunks of a space that was not asked
    uint64_t changes = 0;      // documents added, replaced and deleted meanwhile
    uint64_t findings = 0;     // of a full check afterwards
    bool stale = false;        // the index, kept up and built meanwhile, differs from the database
    uint64_t documents = 0, chunks = 0;  // at the end
    double seconds = 0, check_seconds = 0;
    std::string first_foreign;  // in words
};

// A thousand owners of very unequal size with four collections each, many with the same texts, in
// one store. Threads ask random owners random things while one thread changes documents. Every
// chunk that comes back is judged by three witnesses: what the store says of it, its text, which
// names its owner unless it is common to all, and its states, in which owner and collection are
// written.
CrowdResult ask_crowd(const CrowdOptions& options);

struct GrowthOptions {
    std::string path;
    uint32_t small_chunks = 500;
    uint32_t queries = 500;
    // So low that the small space has a graph, whose recall is not 1 by nature.
    uint32_t flat_limit = 100;
    std::vector<uint64_t> others{0, 10000, 100000};  // chunks of all other spaces, growing
    uint32_t other_spaces = 10;
    uint64_t seed = 1;
};

struct GrowthStep {
    uint64_t others = 0;
    double recall = 0;         // at 2, of the small space against the exact answer
    uint64_t changed = 0;      // queries with another answer than at the first step
    double search_us_p50 = 0;  // of the small space
};

std::vector<GrowthStep> watch_recall(const GrowthOptions& options);

struct SecretOptions {
    std::string path;
    uint32_t samples = 20000;        // of each class
    uint32_t ingest_samples = 5000;  // likewise
    uint32_t token_cost_us = 5;      // what encoding a token costs in the ingest trials
    uint32_t resamples = 200;
    uint64_t seed = 1;
};

// How well a time tells whether the text was stored: the probability that a call with it stored is
// faster than one without, with the 2.5 % and 97.5 % points of a bootstrap.
struct Tell {
    std::string what;
    double area = 0, low = 0, high = 0;
    uint64_t samples = 0;  // of each class
    double stored_us_p50 = 0, other_us_p50 = 0;
};

// In every trial one owner stores a fresh text or, by a coin, another of the same length; the other
// text is stored in another store, so that all texts are read as often. Then a second owner asks
// for, or stores, the fresh text and is timed.
// Two more: nobody stores the text, but the first owner asked for it a moment ago, which warms
// pages that both owners' rows share; and, last, a control that must be seen: the second owner
// itself had stored the text.
std::vector<Tell> time_secrets(const SecretOptions& options);

// Mann and Whitney's area: P(a < b) + P(a = b) / 2.
double area_under_curve(std::vector<double> a, std::vector<double> b);

}  // namespace rpt::many
