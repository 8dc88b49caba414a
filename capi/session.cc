#include "capi/session.h"

#include <string>

#include "capi/guard.h"
#include "capi/hits.h"
#include "capi/model.h"
#include "capi/records.h"

using namespace rpt::capi;
namespace reader = rpt::reader;

rpt_status rpt_session_new(rpt_model* model, const rpt_session_options* options, rpt_session** out,
                           rpt_error* err) {
    return guard(err, [&] {
        clear_out(out);
        rpt_model& m = require(model, "model");
        const EnvironmentRef environment = m.owner;
        const EngineRef engine = m.engine;
        const rpt_session_options o =
            read_options(options, "options", offsetof(rpt_session_options, neighbours));
        check_flags(o.flags, RPT_SESSION_SELF_MEMORY, "options.flags");
        check_reserved(o.reserved0, "options.reserved0");
        check_reserved(o.reserved1, "options.reserved1");
        check_flags(o.reading, RPT_READ_CCA | RPT_READ_COPY | RPT_READ_UPPER | RPT_READ_TEXT,
                    "options.reading");
        if (o.neighbours > kMaxHits) {
            throw rpt::Error(rpt::Status::kArgument, "rpt",
                             "options.neighbours is " + std::to_string(o.neighbours) +
                                 ": a chunk has at most " + std::to_string(kMaxHits));
        }
        SpaceList list = read_spaces(o.spaces, o.n_spaces);
        if (list.store && list.store->require_engine()->fingerprint() != engine->fingerprint()) {
            throw rpt::Error(rpt::Status::kModelMismatch, "rpt",
                             "store \"" + list.store->store->path() + "\" belongs to model " +
                                 rpt::to_hex(list.store->engine->fingerprint()) +
                                 ", the session to model " + rpt::to_hex(engine->fingerprint()) +
                                 "; use one model for both");
        }
        reader::SessionOptions choices;
        choices.self_memory = o.flags & RPT_SESSION_SELF_MEMORY;
        choices.retrieve.k = o.neighbours;
        choices.reading = o.reading;
        Call control(nullptr, environment->ending());
        std::unique_ptr<reader::Session> session;
        environment->compute(control, [&] {
            session = std::make_unique<reader::Session>(
                engine, list.store ? list.store->store : nullptr, std::move(list.spaces), choices);
        });
        *out = new rpt_session(environment, std::move(list.store), std::move(session));
    });
}

rpt_status rpt_session_read(rpt_session* session, const void* bytes, size_t size,
                            const rpt_call* call, rpt_error* err) {
    return guard(err, [&] {
        const Use<rpt_session> use(session, "session");
        check_bytes(bytes, size, "bytes");
        const EnvironmentRef environment = session->owner;
        Call control(call, environment->ending());
        if (size == 0) return;
        environment->compute(control, [&] {
            const OffsetAfter after(*session);
            session->reader->read({static_cast<const char*>(bytes), size}, control.control());
        });
    });
}

rpt_status rpt_session_rewind(rpt_session* session, uint64_t byte_offset, const rpt_call* call,
                              rpt_error* err) {
    return guard(err, [&] {
        const Use<rpt_session> use(session, "session");
        const EnvironmentRef environment = session->owner;
        Call control(call, environment->ending());
        environment->compute(control, [&] {
            const OffsetAfter after(*session);
            session->reader->rewind(byte_offset, control.control());
        });
    });
}

uint64_t rpt_session_offset(const rpt_session* session) {
    return session ? session->offset.load(std::memory_order_relaxed) : 0;
}

rpt_status rpt_session_retrieve(rpt_session* session, const rpt_retrieve_options* options,
                                const rpt_call* call, rpt_hits** out, rpt_error* err) {
    return guard(err, [&] {
        clear_out(out);
        const Use<rpt_session> use(session, "session");
        const reader::RetrieveOptions choices = read_session_retrieve_options(options, "options");
        const EnvironmentRef environment = session->owner;
        Call control(call, environment->ending());
        std::vector<reader::RetrievedChunk> found;
        environment->compute(
            control, [&] { found = session->reader->retrieve(choices, control.control()); });
        *out = new rpt_hits(std::move(found));
    });
}

void rpt_session_free(rpt_session* session) {
    if (session && !session->foreign()) Use<rpt_session>::release(session);
}
