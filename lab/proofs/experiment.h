// The experiments of spec 8.5 by name, each from a seed to a verdict.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lab/proofs/row_run.h"
#include "lab/proofs/verdict.h"

namespace rpt::proofs {

struct ProofOptions {
    RunOptions run;
    std::vector<std::string> rows;  // empty: those that the experiment is about; {"all"}: every row
    bool shortened = false;         // seconds instead of minutes, where an experiment can be cut
    std::string folder = ".";       // for files that live as long as an experiment
};

// The rows named, all of them, or `usual` if none is named. Throws kArgument for a name that no row
// has, before anything is trained.
std::vector<std::string> chosen_rows(const ProofOptions& options,
                                     const std::vector<std::string>& usual);

struct Experiment {
    std::string name;
    std::string shows;
    bool is_short;  // runs within seconds when shortened, and stands in the ordinary tests
    std::function<Verdict(const ProofOptions&)> run;
};

// S1 to S11.
const std::vector<Experiment>& experiments();

// Runs one; its name, seed and time are filled in. Throws kArgument for a name that is not there.
Verdict prove(const std::string& name, const ProofOptions& options);

}  // namespace rpt::proofs
