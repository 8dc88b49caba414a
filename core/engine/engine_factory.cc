#include "core/engine/engine_factory.h"

#include "base/error.h"
#include "core/weights/model_file.h"
#include "core/weights/package_config.h"

namespace rpt::engine {
namespace {

const EngineFactory& choose(const std::string& model, const model::ModelConfig& config,
                            const EngineOptions& options) {
    std::string refusals;
    for (const EngineFactory* factory : linked_engines()) {
        const std::string refusal = factory->refusal(config, options);
        if (refusal.empty()) return *factory;
        refusals += (refusals.empty() ? "" : "; ") + std::string(factory->name()) + ": " + refusal;
    }
    if (refusals.empty()) refusals = "this program was linked without an engine";
    throw Error(Status::kUnsupported, "rpt", model + ": no engine runs it: " + refusals);
}

}  // namespace

const EngineFactory& engine_for(const model::ModelConfig& config, const EngineOptions& options) {
    return choose("model", config, options);
}

std::shared_ptr<const Engine> open_engine(const std::string& path, const EngineOptions& options,
                                          const CallControl& control) {
    control.check();
    const auto package = weights::open_model(path, true, control);
    control.check();
    return open_engine(*package, path, options);
}

std::shared_ptr<const Engine> open_engine(const weights::Package& package, const std::string& name,
                                          const EngineOptions& options) {
    return choose("model \"" + name + "\"", weights::config_of(package), options)
        .open(package, options);
}

void set_compute_threads(int threads) {
    for (const EngineFactory* factory : linked_engines()) factory->set_compute_threads(threads);
}

}  // namespace rpt::engine
