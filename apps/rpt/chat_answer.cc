#include "apps/rpt/chat_answer.h"

#include <unistd.h>

#include <exception>

#include "apps/rpt/generated_text.h"
#include "apps/rpt/sampling_seed.h"

namespace rpt::cli {
namespace {

rpt_str borrowed(const std::string& text) {
    return {text.data(), text.size()};
}

// What the callback gathers. It must not throw: a failure is kept and thrown behind the call.
struct Listener {
    bool stream;
    bool on_terminal = isatty(STDOUT_FILENO) == 1;
    std::string text;
    std::exception_ptr failure;

    int32_t take(const rpt_event& event) {
        if (event.type != RPT_EVENT_TEXT) return 0;
        try {
            text += view(event.text);
            return !stream || write_generated(view(event.text), on_terminal) ? 0 : 1;
        } catch (...) {
            failure = std::current_exception();
            return -1;
        }
    }
};

int32_t on_event(void* user, const rpt_event* event) {
    return static_cast<Listener*>(user)->take(*event);
}

}  // namespace

Answer answer_message(rpt_session* session, const ChatPast& past, const std::string& message,
                      const ChatSampling& sampling, bool stream, rpt_cancel* cancel) {
    std::vector<rpt_turn> turns;
    for (const Turn& turn : past.turns) turns.push_back({turn.speaker, 0, borrowed(turn.text)});
    std::vector<std::string> texts;
    for (const Note& note : past.notes) texts.push_back(note_text(note));
    std::vector<rpt_str> notes;
    for (const std::string& text : texts) notes.push_back(borrowed(text));

    rpt_chat chat = RPT_CHAT_INIT;
    chat.system = borrowed(past.system);
    chat.turns = turns.data();
    chat.n_turns = turns.size();
    chat.notes = notes.data();
    chat.n_notes = notes.size();
    chat.message = borrowed(message);
    rpt_generate_options options = RPT_GENERATE_OPTIONS_INIT;
    options.flags = RPT_GENERATE_NO_MEMORY;  // the notes are the memory
    options.max_tokens = sampling.max_tokens;
    options.top_k = sampling.top_k;
    options.temperature = sampling.temperature;
    options.top_p = sampling.top_p;
    options.repeat_penalty = sampling.repeat_penalty;
    options.seed = sampling.seed != 0 ? sampling.seed : draw_seed();
    options.chat = &chat;
    rpt_call call = RPT_CALL_INIT;
    call.cancel = cancel;

    Listener listener{.stream = stream, .text = {}, .failure = nullptr};
    Answer answer;
    answer.result.struct_size = sizeof(answer.result);
    Error error;
    answer.status = rpt_session_generate(session, &options, &call, on_event, &listener,
                                         &answer.result, error.out());
    answer.text = std::move(listener.text);
    if (listener.failure) std::rethrow_exception(listener.failure);
    if (answer.status != RPT_ERR_CANCELLED) error.check(answer.status);
    return answer;
}

const char* finish_of(const Answer& answer) {
    return answer.status == RPT_ERR_CANCELLED ? "interrupted" : finish_name(answer.result.finish);
}

}  // namespace rpt::cli
