// What keeps a store in order: budget, compaction, backup, upgrade, check.
#include <string>

#include "capi/guard.h"
#include "capi/records.h"
#include "capi/store.h"
#include "core/reader/deep_check.h"

using namespace rpt::capi;
namespace storage = rpt::storage;

namespace {

// A visitor's wish to hear no more.
struct Enough {};

}  // namespace

rpt_status rpt_store_set_budget(rpt_store* store, uint64_t bytes, const rpt_call* call,
                                rpt_error* err) {
    return guard(err, [&] {
        const StoreRef ref = require(store, "store").ref;
        Call control(call, ref->environment->ending());
        ref->environment->access(control, [&] {
            control.control().check();
            ref->store->set_budget(bytes);
        });
    });
}

rpt_status rpt_store_compact(rpt_store* store, const rpt_call* call, rpt_error* err) {
    return guard(err, [&] {
        const StoreRef ref = require(store, "store").ref;
        Call control(call, ref->environment->ending());
        ref->environment->access(control, [&] { ref->store->compact(control.control()); });
    });
}

rpt_status rpt_store_backup(rpt_store* store, const char* path, const rpt_call* call,
                            rpt_error* err) {
    return guard(err, [&] {
        const StoreRef ref = require(store, "store").ref;
        const std::string folder = read_name(path, kMaxPath, "path");
        Call control(call, ref->environment->ending());
        ref->environment->access(control, [&] { ref->store->backup(folder, control.control()); });
    });
}

rpt_status rpt_store_restore(rpt_env* env, const char* from, const char* to, const rpt_call* call,
                             rpt_error* err) {
    return guard(err, [&] {
        const EnvironmentRef environment = require(env, "env").environment;
        const std::string source = read_name(from, kMaxPath, "from");
        const std::string target = read_name(to, kMaxPath, "to");
        Call control(call, environment->ending());
        environment->access(control, [&] {
            storage::StoreOptions options;
            options.read_only = true;
            const auto copy = storage::Store::open(source, options);
            copy->check(
                storage::CheckLevel::kFull,
                [&](const storage::Finding& finding) {
                    if (finding.severity == storage::Finding::Severity::kDamage)
                        throw rpt::Error(rpt::Status::kCorrupt, "rpt",
                                         "the copy \"" + source + "\" is damaged: " + finding.text);
                },
                control.control());
            copy->backup(target, control.control());
        });
    });
}

rpt_status rpt_store_upgrade(rpt_env* env, const char* path, const rpt_call* call, rpt_error* err) {
    return guard(err, [&] {
        const EnvironmentRef environment = require(env, "env").environment;
        const std::string folder = read_name(path, kMaxPath, "path");
        Call control(call, environment->ending());
        environment->access(control, [&] { storage::Store::upgrade(folder, control.control()); });
    });
}

rpt_status rpt_store_check(rpt_store* store, int32_t level, const rpt_call* call,
                           rpt_finding_fn visit, void* user, uint64_t* damaged, rpt_error* err) {
    return guard(err, [&] {
        if (damaged) *damaged = 0;
        const StoreRef ref = require(store, "store").ref;
        if (level < RPT_CHECK_QUICK || level > RPT_CHECK_DEEP)
            throw rpt::Error(rpt::Status::kArgument, "rpt",
                             "level is " + std::to_string(level) + "; use one of RPT_CHECK_*");
        if (level == RPT_CHECK_DEEP) ref->require_engine();
        Call control(call, ref->environment->ending());
        uint64_t n = 0;
        const storage::FindingSink tell = [&](const storage::Finding& finding) {
            if (finding.severity == storage::Finding::Severity::kDamage) ++n;
            if (!visit) return;
            rpt_finding out{};
            out.struct_size = sizeof out;
            out.severity = static_cast<int32_t>(finding.severity);
            out.text = {finding.text.data(), finding.text.size()};
            int32_t answer = 0;
            control.on_caller([&] { run_host_code([&] { answer = visit(user, &out); }); });
            if (!go_on(answer)) throw Enough{};
        };
        const auto look = [&] {
            try {
                ref->store->check(level == RPT_CHECK_QUICK ? storage::CheckLevel::kQuick
                                                           : storage::CheckLevel::kFull,
                                  tell, control.control());
                if (level == RPT_CHECK_DEEP)
                    rpt::reader::check_against_model(*ref->engine, *ref->store, tell,
                                                     control.control());
            } catch (const Enough&) {
            }
        };
        if (level == RPT_CHECK_DEEP) {
            ref->environment->compute(control, look);
        } else {
            ref->environment->access(control, look);
        }
        if (damaged) *damaged = n;
    });
}
