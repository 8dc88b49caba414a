#include "core/weights/package_config.h"

#include <charconv>

#include "base/error.h"

namespace rpt::weights {
namespace {

int64_t read_neighbours(const std::string& text) {
    int64_t number = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failed != std::errc() || end != text.data() + text.size() || number < 1 ||
        number > model::kMostNeighbours) {
        throw Error(Status::kCorrupt, "rpt",
                    "model package: " + std::string(kReadNeighboursKey) + " \"" +
                        text.substr(0, 32) + "\" is no number from 1 to " +
                        std::to_string(model::kMostNeighbours));
    }
    return number;
}

}  // namespace

model::ModelConfig config_of(const Package& package) {
    model::ModelConfig config;
    try {
        config = model::ModelConfig::from_json(package.config_json());
    } catch (const Error& error) {
        throw Error(Status::kCorrupt, "rpt", std::string("model package: ") + error.what());
    }
    if (const auto told = package.metadata().find(kReadNeighboursKey);
        told != package.metadata().end())
        config.neighbours = read_neighbours(told->second);
    return config;
}

}  // namespace rpt::weights
