#include <string>
#include <utility>
#include <vector>

#include "capi/guard.h"
#include "capi/records.h"
#include "capi/store.h"

using namespace rpt::capi;

rpt_status rpt_store_list_spaces(rpt_store* store, rpt_space_visit_fn visit, void* user,
                                 rpt_error* err) {
    return guard(err, [&] {
        const StoreRef ref = require(store, "store").ref;
        if (!visit) throw_null("visit");
        std::vector<std::pair<std::string, std::string>> names;
        Call control(nullptr, ref->environment->ending());
        ref->environment->access(control, [&] {
            ref->store->list_spaces([&](const std::string& owner, const std::string& collection) {
                names.emplace_back(owner, collection);
                return true;
            });
        });
        for (const auto& name : names) {
            int32_t answer = 0;
            run_host_code([&] { answer = visit(user, name.first.c_str(), name.second.c_str()); });
            if (!go_on(answer)) return;
        }
    });
}

rpt_status rpt_space_open(rpt_store* store, const char* owner, const char* collection,
                          uint32_t flags, rpt_space** out, rpt_error* err) {
    return guard(err, [&] {
        clear_out(out);
        const StoreRef ref = require(store, "store").ref;
        const std::string owner_name = read_name(owner, kMaxSpaceName, "owner");
        const std::string collection_name = read_name(collection, kMaxSpaceName, "collection");
        check_flags(flags, RPT_SPACE_CREATE, "flags");
        Call control(nullptr, ref->environment->ending());
        SpaceRef opened{ref, nullptr};
        ref->environment->access(control, [&] {
            opened.space =
                ref->store->open_space(owner_name, collection_name, flags & RPT_SPACE_CREATE);
        });
        *out = new rpt_space(std::move(opened));
    });
}

rpt_status rpt_space_drop(rpt_store* store, const char* owner, const char* collection,
                          const rpt_call* call, rpt_error* err) {
    return guard(err, [&] {
        const StoreRef ref = require(store, "store").ref;
        const std::string owner_name = read_name(owner, kMaxSpaceName, "owner");
        const std::string collection_name = read_name(collection, kMaxSpaceName, "collection");
        Call control(call, ref->environment->ending());
        ref->environment->access(control, [&] {
            ref->store->drop_space(owner_name, collection_name, control.control());
        });
    });
}

rpt_status rpt_space_set_budget(rpt_space* space, uint64_t bytes, const rpt_call* call,
                                rpt_error* err) {
    return guard(err, [&] {
        const SpaceRef ref = require(space, "space").ref;
        Call control(call, ref.store->environment->ending());
        ref.store->environment->access(control, [&] {
            control.control().check();
            ref.space->set_budget(bytes);
        });
    });
}

void rpt_space_close(rpt_space* space) {
    if (space && !space->foreign()) dispose_handle(space);
}
