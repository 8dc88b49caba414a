// A folder of trained and evaluated systems: NAME.SEED/ holds config.json and log.jsonl of the
// training and test.json or test.json.zst of `rpt-lab eval --out`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace rpt::lab {

// Validation while it trained.
struct LossCurve {
    std::vector<int64_t> tokens;
    std::vector<double> loss;  // nats a token, neighbours as the model finds them
};

struct Training {
    int64_t seed = 0;
    std::string file;           // of the evaluation
    nlohmann::json evaluation;  // as read_evaluation() gives it
    int64_t parameters = 0, steps = 0, tokens = 0;
    double tokens_per_second = 0;  // median of the logged steps
    double gemm_share = 0;         // likewise
    LossCurve curve;
};

// By configuration, seeds ascending; a training without an evaluation is left out. Throws kNotFound
// if there is no such folder or nothing in it, kCorrupt for a file that cannot be read.
std::map<std::string, std::vector<Training>> read_experiment(const std::string& folder);

}  // namespace rpt::lab
