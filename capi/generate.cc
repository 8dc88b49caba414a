#include <cmath>
#include <cstddef>
#include <random>
#include <string>

#include "capi/chat.h"
#include "capi/guard.h"
#include "capi/hits.h"
#include "capi/records.h"
#include "capi/session.h"

using namespace rpt::capi;
namespace reader = rpt::reader;

// On the border: the finish reasons are the header's numbers.
static_assert(static_cast<int>(reader::Finish::kNone) == RPT_FINISH_NONE);
static_assert(static_cast<int>(reader::Finish::kStop) == RPT_FINISH_STOP);
static_assert(static_cast<int>(reader::Finish::kEos) == RPT_FINISH_EOS);
static_assert(static_cast<int>(reader::Finish::kLength) == RPT_FINISH_LENGTH);
static_assert(static_cast<int>(reader::Finish::kHost) == RPT_FINISH_HOST);

namespace {

constexpr size_t kMaxStops = 64;
constexpr size_t kMaxStopBytes = 4096;
constexpr size_t kFirstOptions = offsetof(rpt_generate_options, suffix);  // size before it

bool in_range(float value, float low, float high) {
    return std::isfinite(value) && value >= low && value <= high;
}

std::vector<std::string> read_stops(const rpt_str* stop, size_t n_stop) {
    if (n_stop > kMaxStops || (n_stop && !stop)) {
        throw rpt::Error(rpt::Status::kArgument, "rpt",
                         "options.stop is NULL or n_stop is more than 64");
    }
    std::vector<std::string> out;
    for (size_t i = 0; i < n_stop; ++i) {
        if (stop[i].size == 0 || stop[i].size > kMaxStopBytes) {
            throw rpt::Error(rpt::Status::kArgument, "rpt",
                             "stop string " + std::to_string(i) + " has not 1 to 4096 bytes");
        }
        check_text(stop[i].data, stop[i].size, "options.stop");
        out.emplace_back(stop[i].data, stop[i].size);
    }
    return out;
}

uint64_t choose_seed() {
    std::random_device source;
    for (;;) {
        const uint64_t seed = (uint64_t{source()} << 32) | source();
        if (seed) return seed;
    }
}

reader::GenerateOptions read_generate_options(const rpt_generate_options& o) {
    check_flags(o.flags, RPT_GENERATE_NO_MEMORY | RPT_GENERATE_HITS, "options.flags");
    if (!in_range(o.temperature, 0, 1000) || !in_range(o.top_p, 0, 1) ||
        !in_range(o.repeat_penalty, 0, 1000)) {
        throw rpt::Error(
            rpt::Status::kArgument, "rpt",
            "sampling out of range: temperature and repeat_penalty 0 to 1000, top_p 0 to 1");
    }
    reader::GenerateOptions out;
    out.no_memory = o.flags & RPT_GENERATE_NO_MEMORY;
    if (o.max_tokens) out.max_tokens = o.max_tokens;
    out.top_k = o.top_k;
    out.temperature = o.temperature;
    out.top_p = o.top_p;
    out.repeat_penalty = o.repeat_penalty;
    if (o.repeat_window) out.repeat_window = o.repeat_window;
    out.seed = o.seed ? o.seed : choose_seed();
    out.stop = read_stops(o.stop, o.n_stop);
    out.retrieve = read_session_retrieve_options(o.retrieve, "options.retrieve");
    check_text(o.suffix.data, o.suffix.size, "options.suffix");
    if (o.suffix.size) out.suffix.assign(o.suffix.data, o.suffix.size);
    if (o.chat) out.chat = read_chat(o.chat);
    return out;
}

// Carries events from the worker to the host's callback on the calling thread.
class Delivery {
  public:
    Delivery(rpt_event_fn on_event, void* user, bool with_hits)
        : on_event_(on_event), user_(user), with_hits_(with_hits) {}

    // On the worker.
    int32_t deliver(const Call& call, const reader::GenerateEvent& from) {
        const bool is_hits = from.type == reader::GenerateEvent::Type::kHits;
        if (!on_event_ || (is_hits && !with_hits_)) {
            return 0;
        }
        rpt_event event = empty_event(is_hits ? RPT_EVENT_HITS : RPT_EVENT_TEXT);
        event.at_token = from.at_token;
        std::unique_ptr<rpt_hits> hits;
        if (is_hits) {
            hits = std::make_unique<rpt_hits>(*from.hits);
            event.hits = hits.get();
        } else {
            event.text = {from.text.data(), from.text.size()};
        }
        int32_t answer = 0;
        call.on_caller([&] { answer = on_event_(user_, &event); });
        return answer;
    }

    // On the calling thread, last of all.
    void end(rpt_status status, uint64_t tokens) const {
        if (!on_event_) return;
        rpt_event event = empty_event(RPT_EVENT_END);
        event.status = status;
        event.at_token = tokens;
        run_host_code([&] { on_event_(user_, &event); });
    }

  private:
    static rpt_event empty_event(int32_t type) {
        rpt_event event{};
        event.struct_size = sizeof event;
        event.type = type;
        return event;
    }

    rpt_event_fn on_event_;
    void* user_;
    bool with_hits_;
};

rpt_generate_result describe(const reader::GenerateResult& made, uint64_t seed) {
    rpt_generate_result out{};
    out.finish = static_cast<int32_t>(made.finish);
    out.stop_index = made.stop_index;
    out.retrievals = made.retrievals;
    out.tokens = made.tokens;
    out.bytes = made.bytes;
    out.seed = seed;
    out.first_token_us = made.first_token_us;
    out.total_us = made.total_us;
    out.chat_turns = made.chat_turns;
    out.chat_notes = made.chat_notes;
    return out;
}

}  // namespace

rpt_status rpt_session_generate(rpt_session* session, const rpt_generate_options* options,
                                const rpt_call* call, rpt_event_fn on_event, void* user,
                                rpt_generate_result* result, rpt_error* err) {
    return guard(err, [&] {
        const Result<rpt_generate_result> filled(result, "result", true,
                                                 offsetof(rpt_generate_result, chat_turns));
        const Use<rpt_session> use(session, "session");
        const rpt_generate_options o = read_options(options, "options", kFirstOptions);
        const reader::GenerateOptions choices = read_generate_options(o);
        const EnvironmentRef environment = session->owner;
        Call control(call, environment->ending());

        Delivery delivery(on_event, user, o.flags & RPT_GENERATE_HITS);
        reader::GenerateResult made;  // filled however the generation ends
        // A guard within the guard: END tells the host what the call is about to return.
        std::exception_ptr failure;
        const rpt_status status = guard(nullptr, [&] {
            try {
                environment->compute(control, [&] {
                    const OffsetAfter after(*session);
                    session->reader->generate(
                        choices,
                        [&](const reader::GenerateEvent& event) {
                            return delivery.deliver(control, event);
                        },
                        made, control.control());
                });
            } catch (const std::exception&) {
                failure = std::current_exception();
                throw;
            }
        });
        filled.set(describe(made, choices.seed));
        delivery.end(status, made.tokens);
        if (failure) std::rethrow_exception(failure);
    });
}
