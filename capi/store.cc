#include "capi/store.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "capi/guard.h"
#include "capi/records.h"
#include "core/reader/segment_encoder.h"

namespace rpt::capi {

OpenStore::~OpenStore() {
    try {
        store->close();
    } catch (const Error& failure) {
        environment->log(RPT_LOG_ERROR, failure.domain().c_str(), failure.what());
    } catch (const std::exception& failure) {
        environment->log(RPT_LOG_ERROR, "rpt", failure.what());
    }
}

const EngineRef& OpenStore::require_engine() const {
    if (!engine) {
        throw Error(
            Status::kState, "rpt",
            "store \"" + store->path() + "\" was opened without a model; open it with its model");
    }
    return engine;
}

}  // namespace rpt::capi

using namespace rpt::capi;
namespace storage = rpt::storage;

namespace {

storage::Durability durability(int32_t value) {
    switch (value) {
        case RPT_DURABLE_NORMAL:
            return storage::Durability::kNormal;
        case RPT_DURABLE_FLUSH:
            return storage::Durability::kFlush;
        case RPT_DURABLE_NONE:
            return storage::Durability::kNone;
    }
    throw rpt::Error(
        rpt::Status::kArgument, "rpt",
        "options.durability is " + std::to_string(value) + "; use one of RPT_DURABLE_*");
}

storage::StateCodec state_codec(int32_t value) {
    switch (value) {
        case RPT_STATES_DEFAULT:
            return storage::kDefaultStateCodec;
        case RPT_STATES_FP16:
            return storage::StateCodec::kFp16;
        case RPT_STATES_INT8:
            return storage::StateCodec::kInt8;
        case RPT_STATES_INT4:
            return storage::StateCodec::kInt4;
        case RPT_STATES_LOW_RANK:
            return storage::StateCodec::kLowRank;
    }
    throw rpt::Error(
        rpt::Status::kArgument, "rpt",
        "options.state_codec is " + std::to_string(value) + "; use one of RPT_STATES_*");
}

storage::ModelBinding binding_of(const rpt::engine::Engine& engine) {
    if (!engine.config().has_retriever()) {
        throw rpt::Error(rpt::Status::kUnsupported, "rpt",
                         "the model has no retriever and can fill no store; rpt model import makes "
                         "a memory file "
                         "for it, rpt-lab memory fit a better one");
    }
    storage::ModelBinding binding;
    binding.fingerprint = engine.fingerprint();
    binding.dim = static_cast<uint32_t>(engine.config().dim);
    binding.key_dim = static_cast<uint32_t>(engine.config().key_width());
    if (engine.config().has_pointers())
        binding.pointer_dim = static_cast<uint32_t>(engine.config().pointer_width);
    binding.chunk_tokens = static_cast<uint32_t>(engine.config().chunk);
    binding.context_tokens = rpt::reader::default_context_tokens(engine.config());
    return binding;
}

storage::StoreOptions read_store_options(const rpt_store_options& o) {
    check_flags(o.flags, RPT_STORE_CREATE | RPT_STORE_READ_ONLY | RPT_STORE_EXCL, "options.flags");
    storage::StoreOptions out;
    out.create = o.flags & RPT_STORE_CREATE;
    out.read_only = o.flags & RPT_STORE_READ_ONLY;
    out.exclusive = o.flags & RPT_STORE_EXCL;
    if (out.create && out.read_only) {
        throw rpt::Error(rpt::Status::kArgument, "rpt",
                         "RPT_STORE_CREATE and RPT_STORE_READ_ONLY exclude each other");
    }
    if (out.exclusive && !out.create) {
        throw rpt::Error(rpt::Status::kArgument, "rpt", "RPT_STORE_EXCL needs RPT_STORE_CREATE");
    }
    if (out.create && !o.model) {
        throw rpt::Error(rpt::Status::kArgument, "rpt", "RPT_STORE_CREATE needs options.model");
    }
    if (o.compression_level < 0 || o.compression_level > 19) {
        throw rpt::Error(rpt::Status::kArgument, "rpt",
                         "options.compression_level is " + std::to_string(o.compression_level) +
                             ", not 0 to 19");
    }
    out.durability = durability(o.durability);
    out.packing.level = o.compression_level;
    out.packing.codec = state_codec(o.state_codec);
    out.cache_bytes = o.cache_bytes;
    return out;
}

}  // namespace

rpt_status rpt_store_open(rpt_env* env, const char* path, const rpt_store_options* options,
                          rpt_store** out, rpt_error* err) {
    return guard(err, [&] {
        clear_out(out);
        const EnvironmentRef environment = require(env, "env").environment;
        const std::string folder = read_name(path, kMaxPath, "path");
        const rpt_store_options o =
            read_options(options, "options", offsetof(rpt_store_options, state_codec));
        check_reserved(o.reserved0, "options.reserved0");
        storage::StoreOptions choices = read_store_options(o);
        EngineRef engine;
        if (o.model) {
            engine = require(o.model, "options.model").engine;
            choices.model = binding_of(*engine);
        }
        Call control(nullptr, environment->ending());
        StoreRef opened;
        environment->access(control, [&] {
            opened = std::make_shared<OpenStore>(environment, engine,
                                                 storage::Store::open(folder, choices));
        });
        *out = new rpt_store(std::move(opened));
    });
}

rpt_status rpt_store_sync(rpt_store* store, const rpt_call* call, rpt_error* err) {
    return guard(err, [&] {
        const StoreRef ref = require(store, "store").ref;
        Call control(call, ref->environment->ending());
        ref->environment->access(control, [&] {
            control.control().check();
            ref->store->sync();
        });
    });
}

rpt_status rpt_store_close(rpt_store* store, rpt_error* err) {
    if (!store || store->foreign()) return RPT_OK;
    return guard(err, [&] {
        const EnvironmentRef environment = store->ref->environment;
        std::exception_ptr failure;
        environment->dispose([&] {
            // The last user closes here and now, so that a failure can be told; a second close()
            // does nothing.
            if (store->ref.use_count() == 1) {
                try {
                    store->ref->store->close();
                } catch (const std::exception&) {
                    failure = std::current_exception();
                }
            }
            delete store;
        });
        if (failure) std::rethrow_exception(failure);
    });
}

rpt_status rpt_store_destroy(rpt_env* env, const char* path, rpt_error* err) {
    return guard(err, [&] {
        const EnvironmentRef environment = require(env, "env").environment;
        const std::string folder = read_name(path, kMaxPath, "path");
        Call control(nullptr, environment->ending());
        environment->access(control, [&] { storage::Store::destroy(folder); });
    });
}

rpt_status rpt_store_get_stats(rpt_store* store, rpt_store_stats* stats, rpt_error* err) {
    return guard(err, [&] {
        const Result<rpt_store_stats> result(stats, "stats", false,
                                             offsetof(rpt_store_stats, budget_bytes));
        const StoreRef ref = require(store, "store").ref;
        Call control(nullptr, ref->environment->ending());
        storage::StoreStats s;
        ref->environment->access(control, [&] { s = ref->store->stats(); });
        rpt_store_stats out{};
        out.format_version = s.format_version;
        out.spaces = s.spaces;
        out.documents = s.documents;
        out.chunks = s.chunks;
        out.tokens = s.tokens;
        out.text_bytes = s.text_bytes;
        out.text_bytes_disk = s.text_bytes_disk;
        out.state_bytes_raw = s.state_bytes_raw;
        out.state_bytes_disk = s.state_bytes_disk;
        out.key_bytes = s.key_bytes;
        out.index_bytes = s.index_bytes;
        out.meta_bytes = s.meta_bytes;
        out.disk_bytes = s.disk_bytes;
        out.reclaimable_bytes = s.reclaimable_bytes;
        out.cache_bytes = s.cache_bytes;
        out.cache_hits = s.cache_hits;
        out.cache_misses = s.cache_misses;
        out.generation = s.generation;
        out.index_generation = s.index_generation;
        out.budget_bytes = s.budget;
        out.document_chunks = s.document_chunks;
        out.document_tokens = s.document_tokens;
        out.pointer_bytes = s.pointer_bytes;
        std::copy(s.model_fingerprint.begin(), s.model_fingerprint.end(), out.model_fingerprint);
        result.set(out);
    });
}

rpt_status rpt_store_rebuild_index(rpt_store* store, const rpt_call* call, rpt_error* err) {
    return guard(err, [&] {
        const StoreRef ref = require(store, "store").ref;
        Call control(call, ref->environment->ending());
        ref->environment->access(control, [&] { ref->store->rebuild_index(control.control()); });
    });
}
