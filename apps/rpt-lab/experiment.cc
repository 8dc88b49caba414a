#include "apps/rpt-lab/experiment.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>

#include "apps/rpt-lab/evaluation_file.h"
#include "apps/rpt-lab/text_files.h"
#include "base/error.h"

namespace rpt::lab {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

// Empty if there is none.
std::string evaluation_in(const fs::path& folder) {
    for (const char* name : {"test.json", "test.json.zst"})
        if (fs::exists(folder / name)) return (folder / name).string();
    return "";
}

Training read_training(const fs::path& folder, int64_t seed, const std::string& evaluation) {
    Training training;
    training.seed = seed;
    training.file = evaluation;
    training.evaluation = read_evaluation(evaluation);
    std::istringstream log(read_file((folder / "log.jsonl").string()));
    const Json config = Json::parse(read_file((folder / "config.json").string()), nullptr, false);
    if (!config.is_object() || !config.contains("train"))
        throw Error(Status::kCorrupt, "rpt",
                    "\"" + folder.string() + "/config.json\" is no training configuration");
    const int64_t step_tokens = config["train"].value("batch_documents", int64_t{0}) *
                                config["train"].value("length", int64_t{0});
    std::vector<double> rates, shares;
    for (std::string line; std::getline(log, line);) {
        const Json json = Json::parse(line, nullptr, false);
        if (!json.is_object())
            throw Error(Status::kCorrupt, "rpt",
                        "\"" + folder.string() + "/log.jsonl\" has a line that is no JSON object");
        const auto step = json.value("step", int64_t{0});
        training.steps = std::max(training.steps, step);
        if (json.contains("parameters")) training.parameters = json["parameters"].get<int64_t>();
        if (json.contains("tokens_per_second")) {
            rates.push_back(json["tokens_per_second"].get<double>());
            shares.push_back(json.value("gemm_share", 0.0));
        }
        if (json.value("event", "") == "validation") {
            training.curve.tokens.push_back(step * step_tokens);
            training.curve.loss.push_back(json["own"].get<double>());
        }
    }
    training.tokens = training.steps * step_tokens;
    training.tokens_per_second = median(rates);
    training.gemm_share = median(shares);
    return training;
}

}  // namespace

std::map<std::string, std::vector<Training>> read_experiment(const std::string& folder) {
    if (!fs::is_directory(folder))
        throw Error(Status::kNotFound, "rpt", "there is no folder \"" + folder + "\"");
    std::map<std::string, std::vector<Training>> trainings;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        const size_t dot = name.rfind('.');
        int64_t seed = 0;
        const std::string evaluation = evaluation_in(entry.path());
        if (dot == std::string::npos || evaluation.empty()) continue;
        const auto [end, error] =
            std::from_chars(name.data() + dot + 1, name.data() + name.size(), seed);
        if (error != std::errc() || end != name.data() + name.size()) continue;
        trainings[name.substr(0, dot)].push_back(read_training(entry.path(), seed, evaluation));
    }
    if (trainings.empty()) {
        throw Error(Status::kNotFound, "rpt",
                    "\"" + folder +
                        "\" holds no NAME.SEED folder with a test.json; train and evaluate first");
    }
    for (auto& [name, list] : trainings)
        std::sort(list.begin(), list.end(),
                  [](const Training& a, const Training& b) { return a.seed < b.seed; });
    return trainings;
}

}  // namespace rpt::lab
