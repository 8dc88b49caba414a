// rpt_store and rpt_space: a memory on disk and the permission to use a part of it.
#pragma once

#include <memory>
#include <utility>

#include "capi/environment.h"
#include "capi/model.h"
#include "storage/store.h"

namespace rpt::capi {

// What spaces, documents and sessions keep alive. Const after construction; shared by threads.
struct OpenStore {
    OpenStore(EnvironmentRef env, EngineRef e, std::shared_ptr<storage::Store> s)
        : environment(std::move(env)), engine(std::move(e)), store(std::move(s)) {}
    OpenStore(const OpenStore&) = delete;
    OpenStore& operator=(const OpenStore&) = delete;
    // Closes; a failure goes to the log.
    ~OpenStore();

    const EnvironmentRef environment;
    const EngineRef engine;  // null: administration only
    const std::shared_ptr<storage::Store> store;

    // kState unless the store was opened with a model.
    const EngineRef& require_engine() const;
};
using StoreRef = std::shared_ptr<OpenStore>;

// A copy is made at the start of every call, so that closing the handle meanwhile is harmless.
struct SpaceRef {
    StoreRef store;
    std::shared_ptr<storage::Space> space;
};

}  // namespace rpt::capi

struct rpt_store : rpt::capi::Handle {
    explicit rpt_store(rpt::capi::StoreRef s) : ref(std::move(s)) {}
    rpt::capi::StoreRef ref;
};

struct rpt_space : rpt::capi::Handle {
    explicit rpt_space(rpt::capi::SpaceRef s) : ref(std::move(s)) {}
    const rpt::capi::EnvironmentRef& environment() const { return ref.store->environment; }
    const rpt::capi::SpaceRef ref;
};
