// The tables of `rpt-lab report`. A table is an object of title, note, columns and rows of text.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/experiment.h"

namespace rpt::lab {

// A system of the paper's list, with what was trained of it here.
struct Entry {
    nlohmann::ordered_json paper;
    const std::vector<Training>* trainings = nullptr;  // null: none
    std::string name() const { return paper["name"].get<std::string>(); }
    std::string label() const { return paper["label"].get<std::string>(); }
    std::string config() const { return paper["config"].get<std::string>(); }
    std::string row() const { return paper["row"].get<std::string>(); }  // empty: the usual one
};

// Of every corpus: name of a system -> what comparison_json says of it.
using Measured = std::map<std::string, std::map<std::string, nlohmann::ordered_json>>;

struct ReportContext {
    std::vector<Entry> entries;
    Measured measured;
    nlohmann::ordered_json paper;
    std::string baseline;
    std::map<std::string, double> time_ratios;  // by configuration, against the baseline
};

// The part of an evaluation that is about one corpus.
const nlohmann::json& group_of(const nlohmann::json& evaluation, const std::string& corpus);

// Tables 2 and 4 of the paper.
nlohmann::ordered_json perplexity_table(const ReportContext& context, int table,
                                        const std::string& title);
// How the systems of table 2 lie to `context.baseline`, the paper's beside them.
nlohmann::ordered_json difference_table(const ReportContext& context);
// Table 3 and figure 4; `corpora`: name -> object with the array "ranking".
nlohmann::ordered_json retrieval_table(const nlohmann::ordered_json& corpora,
                                       const nlohmann::ordered_json& paper);
// The same models reading other chunks than those they would choose.
nlohmann::ordered_json swap_table(const ReportContext& context);
// Figure 6: where the retriever found a chunk that helps, and elsewhere.
nlohmann::ordered_json gold_table(const ReportContext& context);

std::string markdown(const nlohmann::ordered_json& report);

}  // namespace rpt::lab
