// rpt_model: an engine that sessions and stores share.
#pragma once

#include <memory>
#include <utility>

#include "capi/environment.h"
#include "core/engine/engine.h"

using EngineRef = std::shared_ptr<const rpt::engine::Engine>;

// Const after construction; shared by threads.
struct rpt_model : rpt::capi::Handle {
    rpt_model(rpt::capi::EnvironmentRef env, EngineRef e, bool untrained_memory)
        : owner(std::move(env)), engine(std::move(e)), untrained(untrained_memory) {}
    const rpt::capi::EnvironmentRef& environment() const { return owner; }

    const rpt::capi::EnvironmentRef owner;  // first: destroyed last
    const EngineRef engine;
    const bool untrained;  // its memory is
};
