#include "lab/proofs/verdict.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include <nlohmann/json.hpp>

namespace rpt::proofs {
namespace {

using Json = nlohmann::ordered_json;

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    return text;
}

// Four digits: what comes after them changes with the machine.
double rounded(double value) {
    return value == 0 ? 0 : std::stod(number(value));
}

}  // namespace

// A comparison with a measured NaN is false: nothing passes on it.
Check expect_below(std::string what, double measured, double limit) {
    return {std::move(what), "< " + number(limit), measured, measured < limit};
}

Check expect_above(std::string what, double measured, double limit) {
    return {std::move(what), "> " + number(limit), measured, measured > limit};
}

Check expect_near(std::string what, double measured, double value, double tolerance) {
    return {std::move(what), number(value) + " +- " + number(tolerance), measured,
            std::abs(measured - value) <= tolerance};
}

bool Verdict::passed() const {
    return judged() &&
           std::all_of(checks.begin(), checks.end(), [](const Check& c) { return c.passed; });
}

std::string Verdict::to_json() const {
    Json root;
    root["experiment"] = experiment;
    root["shows"] = shows;
    root["seed"] = seed;
    root["seconds"] = std::round(seconds);
    root["passed"] = judged() ? Json(passed()) : Json();
    root["rows"] = Json::array();
    for (const RowFigures& r : rows) {
        Json line;
        line["row"] = r.row;
        line["task"] = r.task;
        const auto put = [&](const char* name, double value) {
            if (value >= 0) line[name] = rounded(value);
        };
        put("own", r.own);
        put("oracle", r.oracle);
        put("random", r.random);
        put("none", r.none);
        put("own_first", r.own_first);
        put("none_first", r.none_first);
        put("all_tokens", r.all);
        put("own_shown", r.own_shown);
        put("random_shown", r.random_shown);
        put("own_recall_at_2", r.own_recall);
        put("bm25_recall_at_2", r.bm25_recall);
        put("bm25_answered_recall_at_2", r.answered_recall);
        put("gate_mean", r.gate_mean);
        put("null_mass", r.null_mass);
        line["parameters"] = r.parameters;
        line["tokens"] = r.tokens;
        line["steps"] = r.steps;
        line["questions"] = r.questions;
        line["seconds"] = std::round(r.seconds);
        root["rows"].push_back(line);
    }
    root["checks"] = Json::array();
    for (const Check& c : checks)
        root["checks"].push_back({{"what", c.what},
                                  {"expected", c.expected},
                                  {"measured", rounded(c.measured)},
                                  {"passed", c.passed}});
    return root.dump(2);
}

}  // namespace rpt::proofs
