#include "core/reader/session.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "core/reader/session_impl.h"
#include "core/reader/text_query.h"
#include "core/text/utf8_gate.h"

namespace rpt::reader {

namespace {

constexpr size_t kSlice =
    4096;  // bytes that a read takes at once; what a cancel can lose or finds taken

// Bytes of `text` up to the last code point's border within the first `limit`.
size_t slice_size(std::string_view text, size_t limit) {
    if (text.size() <= limit) return text.size();
    size_t size = limit;
    while ((uint8_t(text[size]) & 0xC0) == 0x80) --size;
    return size;
}

}  // namespace

Session::Session(std::shared_ptr<const engine::Engine> engine,
                 std::shared_ptr<storage::Store> store,
                 std::vector<std::shared_ptr<storage::Space>> spaces, const SessionOptions& options)
    : impl_(std::make_unique<Impl>(std::move(engine), std::move(store), std::move(spaces),
                                   options)) {}

Session::~Session() = default;

void Session::read(std::string_view bytes, const CallControl& control) {
    control.check();
    const uint64_t begin = impl_->sequence_.text.size();
    const std::string joined = impl_->cut_ + std::string(bytes);
    text::Utf8Gate gate;
    try {
        gate.append(joined);
    } catch (const Error& error) {
        if (error.status() != Status::kUtf8) throw;
        const uint64_t at = begin + uint64_t(error.offset());
        throw Error(Status::kUtf8, "rpt",
                    "read: invalid utf-8 at byte " + std::to_string(at) + " of the session",
                    int64_t(at));
    }
    std::string_view whole = joined;
    std::string cut = joined.substr(joined.size() - gate.pending());
    whole.remove_suffix(gate.pending());
    for (size_t done = 0; done < whole.size();) {
        const std::string_view slice = whole.substr(done, slice_size(whole.substr(done), kSlice));
        if (done != 0) control.report(done, bytes.size());
        impl_->take(slice);
        impl_->cut_.clear();
        done += slice.size();
        impl_->feed(control);
    }
    impl_->cut_ = std::move(cut);
}

void Session::rewind(uint64_t byte_offset, const CallControl& control) {
    control.check();
    impl_->rewind(byte_offset, control);
}

uint64_t Session::offset() const {
    return impl_->sequence_.text.size() + impl_->cut_.size();
}

void Session::choose_reading(uint32_t reading) {
    if ((reading & ~impl_->made_for_) != 0)
        throw Error(Status::kArgument, "rpt",
                    "session: it was not made for reading in the ways " +
                        std::to_string(reading & ~impl_->made_for_) + "; make one that is");
    impl_->reading_ = reading != 0 ? reading : impl_->made_for_;
}

std::vector<RetrievedChunk> Session::retrieve(const RetrieveOptions& options,
                                              const CallControl& control) {
    Impl& impl = *impl_;
    if (!impl.engine_->config().has_retriever())
        throw Error(Status::kUnsupported, "rpt", "retrieve: this model has no retriever");
    impl.require_whole_code_points("retrieve");
    const std::unique_ptr<engine::Stream> stream = impl.stream_at_target(control);
    const Impl::Aside aside(impl);
    for (const text::Token& token : impl.encoder_.peek()) impl.sequence_.push(token.id, token.size);
    Sequence& sequence = impl.sequence_;
    if (sequence.size() == 1)
        throw Error(Status::kArgument, "rpt", "retrieve: the session has read nothing");

    const ChunkFeeder pieces = impl.feeder();
    const size_t m = size_t(impl.engine_->config().chunk), n_whole = sequence.size() / m;
    std::vector<float> whole;  // what the last whole chunk asks, or the unfinished first one
    if (n_whole == 0) whole = recent_query(*impl.engine_, sequence.ids(), m, control);
    // The lower half alone makes queries: neighbours would change nothing here.
    std::vector<float> logits(size_t(impl.engine_->config().vocab));
    while (stream->position() < n_whole * m) {
        whole =
            pieces.advance_lower(*stream, sequence, n_whole * m, {}, control).closed.back().query;
        stream->advance_upper(logits);
    }
    // A model whose keys are made above the lower half asks as a text does.
    if (whole.empty())
        whole = recent_query(*impl.engine_, sequence.ids().first(n_whole * m), m, control);
    const std::vector<float> question = recent_query(
        *impl.engine_, sequence.ids(), question_tokens(impl.engine_->config(), sequence), control);
    const int64_t number = n_whole == 0 ? 0 : int64_t(n_whole) - 1;
    const int64_t own_last = model::last_retrievable(impl.engine_->config(), number);
    const auto find = options.k == 0 ? &MemorySearch::find_to_read : &MemorySearch::find;
    std::vector<Found> found = (pieces.search().*find)(
        {{question, whole}}, own_last, impl.own_.get(), impl.with_usual_k(options), control);
    return pieces.search().describe(found, impl.own_.get(), sequence.text, options);
}

}  // namespace rpt::reader
