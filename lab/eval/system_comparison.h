// Systems read on the same documents: whole, and where memory can and cannot help. No torch.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lab/eval/paired_bootstrap.h"

namespace rpt::eval {

// One document under one row of one trained model.
struct ReadDocument {
    std::string id, collection;
    int64_t tokens = 0;
    uint64_t bytes = 0;
    double nats = 0;
    // As in DocumentScores; empty without chunk data.
    std::vector<double> chunk_nats;
    std::vector<int64_t> spans, chunk_tokens;
    std::string chunk_flags;
};

struct Reading {
    int64_t chunk = 0;       // m, tokens
    bool retrieves = false;  // the flags say what this model found
    std::vector<ReadDocument> documents;
};

// A row of the experiment, trained once or with several seeds.
struct System {
    std::string name, row;
    std::vector<Reading> trainings;
};

// Throws kArgument, naming a system and a document, unless all read the same tokens in the same
// order.
void require_same_documents(const std::vector<System>& systems);

struct ComparisonOptions {
    int64_t resamples = 10000;
    uint64_t seed = 1;
    std::string collection;  // these documents alone; empty: all
};

// Nats a token of `a` above those of `b`.
Difference compare_systems(const System& a, const System& b, const ComparisonOptions& options);

// Some of the tokens.
struct Part {
    int64_t tokens = 0;
    double a = 0, b = 0;  // nats a token
    Difference difference;
};

// Chunk data is there, cut alike in both.
bool chunks_fit(const System& a, const System& b);
// Figure 6: "no_pool", "not_scored" (no target scores), "no_gold" (no gold chunk retrieved),
// "gold", by what `a` retrieved, or `b` where a has no retriever. Over several trainings every
// training's own split counts, and the interval is over documents alone. Needs chunks_fit().
std::map<std::string, Part> compare_by_gold(const System& a, const System& b,
                                            const ComparisonOptions& options);
// By the first token in the span of 0, 512, 1024, 2048, ...
std::map<int64_t, Part> compare_by_position(const System& a, const System& b,
                                            const ComparisonOptions& options);

}  // namespace rpt::eval
