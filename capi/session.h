// rpt_session: a text being read, continued or scored.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "capi/environment.h"
#include "capi/store.h"
#include "core/reader/session.h"

struct rpt_session : rpt::capi::OwnedHandle {
    rpt_session(rpt::capi::EnvironmentRef env, rpt::capi::StoreRef s,
                std::unique_ptr<rpt::reader::Session> r)
        : owner(std::move(env)), store(std::move(s)), reader(std::move(r)) {}
    const rpt::capi::EnvironmentRef& environment() const { return owner; }
    static void destroy(rpt_session* session) { rpt::capi::dispose_handle(session); }

    const rpt::capi::EnvironmentRef owner;  // first: destroyed last
    const rpt::capi::StoreRef store;        // null without spaces
    const std::unique_ptr<rpt::reader::Session> reader;
    std::atomic<uint64_t> offset{0};  // readable while the session works
};

namespace rpt::capi {

// Keeps rpt_session_offset true however a call ends.
class OffsetAfter {
  public:
    explicit OffsetAfter(rpt_session& session) : session_(session) {}
    ~OffsetAfter() { session_.offset.store(session_.reader->offset(), std::memory_order_relaxed); }
    OffsetAfter(const OffsetAfter&) = delete;
    OffsetAfter& operator=(const OffsetAfter&) = delete;

  private:
    rpt_session& session_;
};

}  // namespace rpt::capi
