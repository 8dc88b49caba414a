#include "core/reader/chat_context.h"

#include <algorithm>

namespace rpt::reader {

ChatContext chat_context(const Session::Impl& session, const ChatRequest& request,
                         uint32_t max_tokens) {
    const engine::Engine& engine = *session.engine_;
    const text::Tokenizer& tokenizer = *engine.tokenizer();
    const text::ChatTemplate form(engine.chat_template(), tokenizer);
    const size_t stride = size_t(engine.config().stride);
    const size_t taken = std::min<size_t>(max_tokens, stride / 2) + 1;
    const ChatPrompt prompt = chat_prompt(tokenizer, form, request, 2 * stride - taken);
    const Sequence& before = session.sequence_;
    ChatContext context{{Sequence(tokenizer.bos()), {}, before.end()},
                        form.end_of_turn(),
                        prompt.n_turns,
                        prompt.n_notes};
    context.aside.sequence.text = before.text;
    for (const int32_t id : prompt.ids) context.aside.sequence.push(id, 0);
    return context;
}

}  // namespace rpt::reader
