// What an experiment expected and what it measured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rpt::proofs {

struct Check {
    std::string what;
    std::string expected;  // as a reader wants it: "< 0.2"
    double measured = 0;
    bool passed = false;
};

Check expect_below(std::string what, double measured, double limit);
Check expect_above(std::string what, double measured, double limit);
Check expect_near(std::string what, double measured, double value, double tolerance);

// One line of an experiment's table, for rows that were trained. Losses in nats a designated
// token; negative where the row has no such figure.
struct RowFigures {
    std::string row, task;
    double own = -1, oracle = -1, random = -1, none = -1;
    double own_first = -1;  // of each group's first token, own neighbours
    double none_first = -1;
    double all = -1;                           // nats a token, own neighbours
    double own_shown = -1, random_shown = -1;  // share of questions that read their gold chunk
    // gold chunk among the first two; BM25 asked with the chunk, and with the next one too
    double own_recall = -1, bm25_recall = -1, answered_recall = -1;
    double gate_mean = -1, null_mass = -1;
    int64_t parameters = 0, tokens = 0, steps = 0, questions = 0;
    double seconds = 0;
};

struct Verdict {
    std::string experiment;
    std::string shows;
    uint64_t seed = 0;
    double seconds = 0;
    std::vector<RowFigures> rows;
    std::vector<Check> checks;

    // False where nothing was foretold: rows were measured and that is all.
    bool judged() const { return !checks.empty(); }
    bool passed() const;  // judged, and every check holds
    std::string to_json() const;
};

}  // namespace rpt::proofs
