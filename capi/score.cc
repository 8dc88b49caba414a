#include <cmath>
#include <memory>
#include <string>

#include "capi/guard.h"
#include "capi/hits.h"
#include "capi/records.h"
#include "capi/session.h"

using namespace rpt::capi;
namespace reader = rpt::reader;

namespace {

constexpr double kNatsPerBit = 0.693147180559945309417;

void show_chunk(const Call& call, rpt_score_visit_fn visit, void* user,
                const reader::ScoredChunk& from) {
    rpt_scored_chunk chunk{};
    chunk.struct_size = sizeof chunk;
    chunk.span = {from.bytes.begin, from.bytes.end};
    chunk.tokens = from.tokens;
    chunk.nll = from.nats;
    std::unique_ptr<rpt_hits> hits;
    if (from.hits && !from.hits->empty()) {
        hits = std::make_unique<rpt_hits>(*from.hits);
        chunk.hits = hits.get();
    }
    int32_t answer = 0;
    call.on_caller([&] { answer = visit(user, &chunk); });
    if (answer != 0) go_on(answer > 0 ? -answer : answer);
}

}  // namespace

rpt_status rpt_session_score(rpt_session* session, const void* text, size_t size, uint32_t flags,
                             const rpt_call* call, rpt_score_visit_fn visit, void* user,
                             rpt_score* score, rpt_error* err) {
    return guard(err, [&] {
        const Result<rpt_score> result(score, "score");
        const Use<rpt_session> use(session, "session");
        check_text(text, size, "text");
        check_flags(flags, RPT_SCORE_NO_MEMORY, "flags");
        const EnvironmentRef environment = session->owner;
        Call control(call, environment->ending());
        std::function<void(const reader::ScoredChunk&)> by_chunk;
        if (visit)
            by_chunk = [&](const reader::ScoredChunk& chunk) {
                show_chunk(control, visit, user, chunk);
            };
        reader::Score s;
        environment->compute(control, [&] {
            s = session->reader->score({static_cast<const char*>(text), size},
                                       flags & RPT_SCORE_NO_MEMORY, control.control(), by_chunk);
        });
        rpt_score out{};
        out.retrievals = s.retrievals;
        out.tokens = s.tokens;
        out.bytes = s.bytes;
        out.nll = s.nats;
        out.bits_per_byte = s.bytes ? s.nats / kNatsPerBit / static_cast<double>(s.bytes) : 0.0;
        result.set(out);
    });
}
