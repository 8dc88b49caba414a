#include "core/reader/document_writer.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "core/reader/document_splice.h"
#include "core/reader/segment_encoder.h"
#include "core/reader/waiting_segments.h"

namespace rpt::reader {

struct DocumentWriter::Impl {
    std::shared_ptr<const engine::Engine> engine;
    SegmentEncoder encoder;
    text::SegmenterOptions borders;
    std::shared_ptr<storage::Space> space;  // outlives its writer
    std::unique_ptr<storage::DocumentWriter> store;
    bool text_discarded = false;

    text::Utf8Gate gate;
    text::Segmenter segmenter;
    uint64_t segmenter_begin = 0;  // where in the document the segmenter began
    std::deque<uint64_t> closed;   // borders in the document behind which open() still begins
    uint64_t open_begin = 0;
    std::string buffer;  // from `head` on: the text behind the last border dealt with
    size_t head = 0;
    std::vector<int32_t> context;  // tokens that a segment at open_begin may see

    WaitingSegments waiting;  // what the next commit takes

    uint64_t n_stored = 0;     // segments in the store
    bool open_stored = false;  // the last of them is the text at open_begin, as it was then
    std::string stored_text;   // that text, to see whether a flush has news
    bool stored_tail = false;

    // Of the text up to open_begin; not kept for a document that was resumed or spliced.
    Sha256 hash;
    bool hash_runs = true;
    std::optional<Digest> finishing;  // of the whole text; a finish that failed waits for the next
    bool astray = false;              // a splice is stored, and what followed it failed
    bool finished = false;
    text::Utf8Gate::Mode mode;

    Impl(std::shared_ptr<const engine::Engine> e, std::shared_ptr<storage::Space> s,
         text::Utf8Gate::Mode m, uint32_t context_tokens, text::SegmenterOptions b)
        : engine(std::move(e)),
          encoder(*engine, context_tokens),
          borders(b),
          space(std::move(s)),
          gate(m),
          segmenter(b),
          waiting(encoder),
          mode(m) {}

    void require_open(const char* what) const {
        if (astray)
            throw Error(
                Status::kState, "rpt",
                std::string("document: cannot ") + what +
                    " after a splice that was stored and could not be read back; resume it");
        if (finished || finishing)
            throw Error(Status::kState, "rpt",
                        std::string("document: cannot ") + what +
                            (finished ? " after finish" : " while finish waits to be tried again"));
    }

    // Bytes of the text, a cut code point included.
    uint64_t end() const { return open_begin + open().size(); }
    std::string_view open() const { return std::string_view(buffer).substr(head); }

    // Stands behind the last segment but one of the stored document, the last one open again.
    void stand_at_end() {
        const std::vector<storage::SegmentInfo> segments = store->segments();
        hash_runs = false;
        waiting.clear();
        closed.clear();
        n_stored = segments.size();
        open_begin = segments.empty() ? 0 : segments.back().bytes.begin;
        const uint64_t text_end = segments.empty() ? 0 : segments.back().bytes.end;
        const uint64_t left_begin =
            open_begin - std::min<uint64_t>(open_begin, text::Segmenter::left_bytes(borders));
        segmenter = text::Segmenter::resume(store->read_text({left_begin, open_begin}), borders);
        segmenter_begin = open_begin;
        buffer = store->read_text({open_begin, text_end});
        head = 0;
        std::vector<uint64_t> found;
        segmenter.append(open(), found);  // an upgraded store's segments may hold borders
        for (const uint64_t border : found) closed.push_back(segmenter_begin + border);
        context =
            context_before(*store, segments, segments.empty() ? 0 : segments.size() - 1, encoder);
        open_stored = !segments.empty();
        stored_text.clear();
        gate = text::Utf8Gate(mode);
    }

    void take(std::string_view bytes) {
        text::Utf8Gate next_gate = gate;
        try {
            next_gate.append(bytes);
        } catch (const Error& error) {
            // The gate counts from where it began.
            throw Error(error.status(), error.domain(), error.what(),
                        error.offset() < 0
                            ? -1
                            : static_cast<int64_t>(end() - gate.offset()) + error.offset());
        }
        text::Segmenter next = segmenter;
        std::vector<uint64_t> found;
        next.append(bytes, found);
        buffer.reserve(buffer.size() + bytes.size());
        for (const uint64_t border : found) closed.push_back(segmenter_begin + border);
        buffer.append(bytes);  // nothing throws from here
        std::swap(gate, next_gate);
        std::swap(segmenter, next);
    }

    // The first `size` bytes of open() as a closed segment, into what waits.
    void close_segment(uint64_t size) {
        waiting.add(std::string(open().substr(0, size)), context, *space, text_discarded);
        if (hash_runs) hash.update(open().data(), size);
        open_begin += size;
        head += size;
        if (head * 2 < buffer.size()) return;
        buffer.erase(0, head);
        head = 0;
    }

    void close_segments(const CallControl& control) {
        while (!closed.empty()) {
            control.report(open_begin, end());
            close_segment(closed.front() - open_begin);
            closed.pop_front();
            if (waiting.bytes() >= store->commit_bytes()) commit(control, {}, {});
        }
    }

    // What waits takes the place of the open segment that is stored, and `unfinished` becomes the
    // new one if it has text.
    void commit(const CallControl& control, storage::SegmentRecord unfinished,
                std::optional<Digest> content_hash) {
        storage::Edit edit;
        edit.n_old = open_stored ? 1 : 0;
        edit.first = n_stored - edit.n_old;
        const bool opens = !unfinished.text.empty();
        if (waiting.empty() && !opens && !content_hash) return;
        edit.finish = content_hash.has_value();
        if (content_hash) edit.content_hash = *content_hash;
        // A finish without news keeps the last segment as it is.
        if (waiting.empty() && !opens) edit.n_old = 0, edit.first = n_stored;
        waiting.commit(*store, edit, std::move(unfinished), control);
        n_stored = edit.first + edit.segments.size();
        open_stored = opens;
    }

    void flush(bool tail, const CallControl& control) {
        close_segments(control);
        storage::SegmentRecord record;
        record.text = open().substr(0, open().size() - gate.pending());
        const bool same =
            open_stored && waiting.empty() && record.text == stored_text && tail == stored_tail;
        if (same) return;
        if (!record.text.empty()) {
            const SpannedTokens tokens = encoder.tokenise(record.text, false);
            record.chunks =
                encoder.encode(context, tokens, tail ? tokens.ids.size() : whole(tokens), true);
        }
        std::string text = record.text;
        commit(control, std::move(record), {});
        stored_text = std::move(text);
        stored_tail = tail;
    }

    // The store has the whole text, and no border inside its last segment waits to be made.
    bool is_stored() const {
        return waiting.empty() && closed.empty() && store->info().bytes == end();
    }

    // Final tokens that fill chunks, the begin token in the first of them where there is no
    // context.
    size_t whole(const SpannedTokens& tokens) const {
        const size_t m = size_t(encoder.engine().config().chunk);
        const size_t bos = encoder.begins_with_bos(context) ? 1 : 0;
        const size_t filled = (tokens.n_final + bos) / m * m;
        return filled > bos ? filled - bos : 0;
    }

    Digest content_hash() {
        if (hash_runs) return Sha256(hash).update(open().data(), open().size()).finish();
        constexpr uint64_t kPiece = 1 << 20;
        Sha256 whole_text;
        for (uint64_t at = 0; at < open_begin; at += kPiece) {
            const std::string part = store->read_text({at, std::min(at + kPiece, open_begin)});
            whole_text.update(part.data(), part.size());
        }
        return whole_text.update(open().data(), open().size()).finish();
    }

    void finish(const CallControl& control) {
        if (!finishing) {
            text::Utf8Gate last = gate;
            last.finish();  // refuses a cut code point
            close_segments(control);
            if (!hash_runs) commit(control, {}, {});  // so that the text can be read back
            const Digest digest = content_hash();
            if (!open().empty()) close_segment(open().size());
            finishing = digest;
        }
        commit(control, {}, finishing);
        finished = true;
    }

    SpliceResult splice(ByteSpan where, std::string_view bytes, const CallControl& control) {
        check_splice(where, bytes);
        // A finished document stays finished if the splice fails, so a flush without news is left.
        if (!is_stored()) flush(false, control);
        require_whole_code_points(where);
        SplicePlan plan = plan_splice(*store, *space, encoder, borders, where, bytes, control);
        plan.segments.commit(*store, plan.edit, {}, control);
        astray = true;
        stand_at_end();
        astray = false;
        return plan.result;
    }

    [[noreturn]] static void fail_splice(ByteSpan where, const std::string& why) {
        throw Error(Status::kArgument, "rpt",
                    "splice of bytes " + std::to_string(where.begin) + " to " +
                        std::to_string(where.end) + ": " + why);
    }

    // Of a text that is in the store.
    void require_whole_code_points(ByteSpan where) const {
        if (mode == text::Utf8Gate::Mode::kReplace) return;
        for (const uint64_t place : {where.begin, where.end}) {
            const std::string behind = store->read_text({place, std::min(place + 1, end())});
            if (!behind.empty() && (uint8_t(behind[0]) & 0xC0) == 0x80)
                fail_splice(where, "byte " + std::to_string(place) + " lies inside a character");
        }
    }

    void check_splice(ByteSpan where, std::string_view bytes) const {
        if (where.begin > where.end || where.end > end())
            fail_splice(where, "the document has " + std::to_string(end()) + " bytes");
        if (gate.pending() > 0)
            fail_splice(where, "a character at the end of the text is cut; append its rest");
        if (text_discarded)
            throw Error(Status::kUnsupported, "rpt",
                        "splice: the text of this document is not kept; begin it again");
        if (mode == text::Utf8Gate::Mode::kReplace) return;
        if (const size_t valid = text::valid_utf8_prefix(bytes); valid != bytes.size())
            throw Error(
                Status::kUtf8, "rpt",
                "splice: invalid utf-8 at byte " + std::to_string(valid) + " of the new text",
                static_cast<int64_t>(valid));
    }
};

DocumentWriter::DocumentWriter(std::shared_ptr<const engine::Engine> engine,
                               std::shared_ptr<storage::Space> space,
                               const storage::DocumentSpec& spec, text::Utf8Gate::Mode mode,
                               uint32_t context_tokens, text::SegmenterOptions borders)
    : impl_(std::make_unique<Impl>(std::move(engine), std::move(space), mode, context_tokens,
                                   borders)) {
    impl_->text_discarded = spec.discard_text;
    impl_->store = impl_->space->begin_document(spec);
}

DocumentWriter::DocumentWriter(std::shared_ptr<const engine::Engine> engine,
                               std::shared_ptr<storage::Space> space, std::string_view key,
                               text::Utf8Gate::Mode mode, uint32_t context_tokens,
                               text::SegmenterOptions borders)
    : impl_(std::make_unique<Impl>(std::move(engine), std::move(space), mode, context_tokens,
                                   borders)) {
    impl_->store = impl_->space->resume_document(key);
    if (impl_->store->info().text_discarded)
        throw Error(Status::kUnsupported, "rpt",
                    "document \"" + std::string(key) +
                        "\": its text was not kept, so it cannot be changed; begin it again");
    impl_->stand_at_end();
}

DocumentWriter::~DocumentWriter() = default;

void DocumentWriter::append(std::string_view bytes, const CallControl& control) {
    impl_->require_open("append");
    control.check();
    impl_->take(bytes);
    impl_->close_segments(control);
}

storage::DocumentInfo DocumentWriter::flush(bool tail, const CallControl& control) {
    impl_->require_open("flush");
    control.check();
    impl_->flush(tail, control);
    return impl_->store->info();
}

SpliceResult DocumentWriter::splice(ByteSpan where, std::string_view bytes,
                                    const CallControl& control) {
    impl_->require_open("splice");
    control.check();
    return impl_->splice(where, bytes, control);
}

storage::DocumentInfo DocumentWriter::finish(const CallControl& control) {
    if (!impl_->finishing || impl_->finished) impl_->require_open("finish");
    control.check();
    impl_->finish(control);
    return impl_->store->info();
}

uint64_t DocumentWriter::bytes_accepted() const {
    return impl_->end();
}

}  // namespace rpt::reader
