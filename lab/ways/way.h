// One way in which a session may read its own past, as a row of a table names it.
#pragma once

#include <cstdint>
#include <string>

namespace rpt::ways {

enum class Chooser {
    kOwn,      // the mass of pointer keys, as ever
    kWords,    // BM25 of the tokens that ask
    kOracle,   // the mass of the tokens that are going to read
    kRandom,   // any
    kNothing,  // no chunk at all: what the pieces that the model is fed do by themselves
};

struct Way {
    std::string name;      // as it was written
    uint32_t reading = 0;  // model::kRead*, summed; 0: nothing is read
    uint32_t k = 0;        // chunks that are read; 0: the model's
    Chooser chooser = Chooser::kOwn;
    bool four_bits = false;  // states as a store keeps them

    bool chooses_chunks() const;
};

// NAMES[@K][:CHOOSER][:4bit], such as none, copy, upper,copy@4, upper@2:bm25, upper:4bit. NAMES:
// none, or cca, copy, upper, text with commas. CHOOSER: own, bm25, oracle, random, nothing; of
// `upper` and `text` alone. kArgument for anything else.
Way parse_way(const std::string& name);

}  // namespace rpt::ways
