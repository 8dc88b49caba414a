#include "core/reader/gap_context.h"

#include <algorithm>

#include "base/error.h"
#include "core/text/utf8_gate.h"

namespace rpt::reader {

namespace {

constexpr size_t kSlice = 4096;    // bytes of the suffix that are encoded at once
constexpr size_t kGapInputs = 4;   // begin of text and the three tokens around the parts
constexpr size_t kSuffixPart = 3;  // the suffix has 1 / kSuffixPart of the room

// The first tokens of a text, at most `limit`; what lies far behind them is not encoded.
std::vector<int32_t> first_tokens(const std::shared_ptr<const text::Tokenizer>& tokenizer,
                                  std::string_view text, size_t limit) {
    text::IncrementalEncoder encoder(tokenizer, kLongestWord);
    std::vector<text::Token> tokens;
    while (!text.empty() && tokens.size() < limit) {
        const std::string_view slice =
            text.substr(0, text::valid_utf8_prefix(text.substr(0, kSlice)));
        encoder.append(slice, tokens);
        text.remove_prefix(slice.size());
    }
    if (text.empty()) encoder.finish(tokens);
    std::vector<int32_t> ids;
    for (size_t i = 0; i < std::min(limit, tokens.size()); ++i) ids.push_back(tokens[i].id);
    return ids;
}

}  // namespace

AsideContext gap_context(const Session::Impl& session, std::string_view suffix,
                         uint32_t max_tokens) {
    const std::shared_ptr<const text::Tokenizer> tokenizer = session.engine_->tokenizer();
    const int32_t prefix_token = tokenizer->role(text::Role::kGapPrefix),
                  suffix_token = tokenizer->role(text::Role::kGapSuffix),
                  middle_token = tokenizer->role(text::Role::kGapMiddle);
    if (prefix_token < 0 || suffix_token < 0 || middle_token < 0)
        throw Error(Status::kUnsupported, "rpt",
                    "generate: this model's tokenizer lacks the tokens around a gap (prefix, "
                    "suffix, middle); continue without a suffix");
    if (const size_t valid = text::valid_utf8_prefix(suffix); valid != suffix.size())
        throw Error(Status::kUtf8, "rpt",
                    "generate: invalid utf-8 at byte " + std::to_string(valid) + " of the suffix",
                    int64_t(valid));

    const size_t stride = size_t(session.engine_->config().stride);
    const size_t taken = std::min<size_t>(max_tokens, stride / 2) + kGapInputs;
    const size_t room = 2 * stride > taken ? 2 * stride - taken : 0;
    const Sequence& before = session.sequence_;
    const std::vector<text::Token> tail = session.encoder_.peek();
    const size_t n_final = before.size() - 1, n_before = n_final + tail.size();
    std::vector<int32_t> behind = first_tokens(tokenizer, suffix, room);
    behind.resize(
        std::min(behind.size(), std::max(room / kSuffixPart, room - std::min(room, n_before))));
    const size_t n_prefix = std::min(n_before, room - behind.size());

    AsideContext gap{Sequence(tokenizer->bos()), {}, 0};
    const size_t skipped = n_before - n_prefix;
    gap.begin = before.end_of(std::min(skipped, n_final));
    for (size_t i = n_final; i < skipped; ++i) gap.begin += tail[i - n_final].size;
    for (size_t i = skipped; i < n_before; ++i)
        gap.recent.push_back(i < n_final ? before.ids()[i + 1] : tail[i - n_final].id);
    gap.sequence.text = before.text;
    gap.sequence.push(prefix_token, 0);
    for (const int32_t id : gap.recent) gap.sequence.push(id, 0);
    gap.sequence.push(suffix_token, 0);
    for (const int32_t id : behind) gap.sequence.push(id, 0);
    gap.sequence.push(middle_token, 0);
    return gap;
}

int64_t last_chunk_before(const OwnPast& own, uint64_t byte) {
    int64_t n = int64_t(own.size());
    while (n > 0 && own.bytes(uint64_t(n) - 1).end > byte) --n;
    return n - 2;
}

}  // namespace rpt::reader
