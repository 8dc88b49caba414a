// Target doc_calls: any sequence of rpt_doc_* calls, some of them failing or cancelled, leaves the
// text that was accepted, and records that depend on the text alone.
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "tests/fuzz/document_twin.h"
#include "tests/fuzz/fake_library.h"
#include "tests/fuzz/input_bytes.h"

namespace rpt::engine {

std::span<const EngineFactory* const> linked_engines() {
    static const fuzz::FakeFactory factory;
    static constexpr const EngineFactory* kAll[] = {&factory};
    return kAll;
}

}  // namespace rpt::engine

namespace rpt::fuzz {
namespace {

constexpr size_t kMostText = 20000;  // of a document
constexpr const char* kKeys[] = {"a", "b/c.txt", "\xC3\xBC"};

// Words, lines and characters of several bytes.
std::string made_text(size_t size, uint64_t seed) {
    static constexpr const char* kWords[] = {"the ",
                                             "reader ",
                                             "writes.\n",
                                             "stop; ",
                                             "K\xC3\xB6ln ",
                                             "\xE6\x97\xA5\xE6\x9C\xAC ",
                                             "\xF0\x9F\x98\x80",
                                             "\n\n",
                                             "x"};
    std::string text;
    while (text.size() < size) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        text += kWords[(seed >> 33) % std::size(kWords)];
    }
    return text;
}

std::string take_text(InputBytes& in) {
    if (in.below(3) > 0) return std::string(in.take(in.below(40)));
    const size_t size = in.below(4000);
    return made_text(size, in.byte());
}

// Ends a call at its n-th report of progress.
struct Patience {
    uint64_t left = 0;
    static int32_t report(void* user, uint64_t, uint64_t) {
        auto* self = static_cast<Patience*>(user);
        return self->left-- == 0;
    }
};

class Play {
  public:
    Play(const Library& library, InputBytes in)
        : library_(library), in_(in), path_(library.fresh_store()) {
        open();
    }
    ~Play() { close(); }
    Play(const Play&) = delete;
    Play& operator=(const Play&) = delete;

    void run() {
        for (int i = 0; i < 24 && !in_.empty(); ++i) step();
        for (WriterTwin& writer : writers_) let_go(writer);
        for (const char* key : kKeys) read(key);
        check();
        for (const char* key : kKeys) compare_with_fresh(key);
    }

  private:
    void must(rpt_status) { out_.expect_ok("a call that cannot fail failed"); }

    void open() {
        store_ = library_.open(path_);
        must(
            out_.of(rpt_space_open(store_, "o", "c", RPT_SPACE_CREATE, &space_, out_.record())));
    }
    void close() {
        for (WriterTwin& writer : writers_) let_go(writer);
        rpt_space_close(space_);
        must(out_.of(rpt_store_close(store_, out_.record())));
    }

    // The options of a call that may be ended or meet a failing engine, as the input says.
    const rpt_call* trouble() {
        fake_engine()->calls_to_failure = 0;
        const uint64_t kind = in_.below(8);
        if (kind == 0) fake_engine()->calls_to_failure = int(in_.below(6)) + 1;
        if (kind != 1) return nullptr;
        patience_.left = in_.below(4);
        call_ = RPT_CALL_INIT;
        call_.progress = Patience::report;
        call_.progress_user = &patience_;
        return &call_;
    }
    // The end of such a call: true if it went through.
    bool passed() {
        fake_engine()->calls_to_failure = 0;
        return out_.status() == RPT_OK;
    }
    bool was_ended() const {
        return out_.status() == RPT_ERR_CANCELLED || out_.status() == RPT_ERR_DEVICE;
    }

    WriterTwin* writer_of(std::string_view key) {
        for (WriterTwin& writer : writers_)
            if (writer.doc && !writer.finished && writer.key == key) return &writer;
        return nullptr;
    }
    // What must be visible under a key; null: nothing.
    const StoredTwin* visible(const std::string& key) {
        const auto found = stored_.find(key);
        return found == stored_.end() ? nullptr : &found->second;
    }
    void publish(const WriterTwin& writer) {
        if (!writer.replaces) stored_[writer.key] = writer.visible();
    }

    void step() {
        WriterTwin& writer = writers_[in_.below(writers_.size())];
        const std::string key = kKeys[in_.below(std::size(kKeys))];
        const uint64_t action = in_.below(16);
        if (action == 12) return read(key);
        if (action == 13) return erase(key);
        if (action == 14) return retrieve();
        if (action == 15) return reopen();
        if (!writer.doc) return action % 2 == 0 ? begin(writer, key) : resume(writer, key);
        if (action < 5) return append(writer);
        if (action < 8) return splice(writer);
        if (action < 10) return flush(writer);
        if (action < 11) return finish(writer);
        let_go(writer);
    }

    void begin(WriterTwin& writer, const std::string& key) {
        rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
        options.key = key.c_str();
        options.timestamp_ms = 1;
        options.flags = uint32_t(in_.below(8));
        WriterTwin fresh;
        const StoredTwin* old = visible(key);
        rpt_doc_info before{};
        before.struct_size = sizeof before;
        const bool exists =
            out_.of(rpt_doc_stat(space_, key.c_str(), &before, out_.record())) == RPT_OK;
        const rpt_status status =
            out_.of(rpt_doc_begin(space_, &options, &fresh.doc, out_.record()));
        if (writer_of(key)) return expect(status == RPT_ERR_BUSY, "two writers of one document");
        if (status == RPT_ERR_EXISTS)
            return expect(old && !(options.flags & RPT_DOC_REPLACE), "EXISTS of what is not there");
        out_.expect_ok("a document cannot be begun");
        expect(!old || !old->sure || (options.flags & RPT_DOC_REPLACE),
               "a document was begun twice");
        expect(rpt_doc_offset(fresh.doc) == 0, "a new document has bytes");
        fresh.key = key;
        fresh.replaces = exists;
        fresh.lossy = options.flags & RPT_DOC_LOSSY_UTF8;
        fresh.discards = options.flags & RPT_DOC_DISCARD_TEXT;
        writer = fresh;
        publish(writer);
    }

    void resume(WriterTwin& writer, const std::string& key) {
        const uint32_t flags = in_.below(2) == 0 ? 0u : RPT_DOC_LOSSY_UTF8;
        WriterTwin again;
        const rpt_status status =
            out_.of(rpt_doc_resume(space_, key.c_str(), flags, &again.doc, out_.record()));
        const StoredTwin* old = visible(key);
        if (writer_of(key)) return expect(status == RPT_ERR_BUSY, "two writers of one document");
        if (status == RPT_ERR_NOT_FOUND) return expect(!old || !old->sure, "a document is lost");
        expect(old != nullptr, "a document that nobody wrote");
        if (status == RPT_ERR_UNSUPPORTED) return expect(old->discarded, "the text was kept");
        out_.expect_ok("a document cannot be resumed");
        expect(!old->discarded, "a text that was not kept is resumed");
        again.key = key;
        again.lossy = flags;
        again.stored = true;
        again.text = again.flushed = text_of(key);
        again.invalid = text::valid_utf8_prefix(again.text) != again.text.size();
        expect(rpt_doc_offset(again.doc) == again.text.size(),
               "a resumed document has another size");
        writer = again;
        const bool finished = old->finished;
        publish(writer);
        stored_[key].finished = finished;
    }

    void append(WriterTwin& writer) {
        const std::string bytes = take_text(in_);
        if (writer.text.size() + bytes.size() > kMostText) return;
        const rpt_call* call = trouble();
        out_.of(rpt_doc_append(writer.doc, bytes.data(), bytes.size(), call, out_.record()));
        const uint64_t offset = rpt_doc_offset(writer.doc);
        const std::string whole = writer.text + bytes;
        if (passed()) {
            expect(offset == whole.size() || bytes.empty(), "accepted bytes are not counted");
        } else if (out_.status() == RPT_ERR_UTF8) {
            expect(!writer.lossy && offset == writer.text.size(), "refused bytes are counted");
            const uint64_t place = uint64_t(out_.offset());
            expect(writer.invalid || place == text::valid_utf8_prefix(whole),
                   "the first invalid byte is another one");
            return;
        } else if (out_.status() == RPT_ERR_STATE) {
            return expect(writer.finished || writer.finishing, "an open writer refuses");
        } else {
            expect(was_ended(), "an append fails");
            expect(offset == writer.text.size() || offset == whole.size(),
                   "a part of the bytes was taken");
        }
        if (offset == writer.text.size()) return;
        writer.text = whole;
        writer.gate.append(bytes);
        publish(writer);
    }

    void splice(WriterTwin& writer) {
        const uint64_t begin = in_.below(writer.text.size() + 2),
                       size = in_.below(writer.text.size() + 2),
                       end =
                           in_.below(8) == 0 ? in_.number(8) : begin + size % (in_.below(200) + 1);
        const std::string bytes = take_text(in_);
        if (writer.text.size() + bytes.size() > kMostText) return;
        rpt_splice_info info{};
        info.struct_size = sizeof info;
        const rpt_call* call = trouble();
        out_.of(rpt_doc_splice(writer.doc, begin, end, bytes.data(), bytes.size(), call, &info,
                               out_.record()));
        if (!passed()) {
            const bool outside = begin > end || end > writer.text.size();
            switch (out_.status()) {
                case RPT_ERR_ARGUMENT:
                    expect(outside || writer.cut() > 0 || !writer.lossy,
                           "a span inside is refused");
                    break;
                case RPT_ERR_UTF8:
                    expect(!writer.lossy && text::valid_utf8_prefix(bytes) == size_t(out_.offset()),
                           "another byte is invalid");
                    break;
                case RPT_ERR_STATE:
                    expect(writer.finished || writer.finishing, "an open writer refuses");
                    break;
                case RPT_ERR_UNSUPPORTED:
                    expect(writer.discards, "the text was kept");
                    break;
                default:
                    expect(was_ended(), "a splice fails");
            }
            return expect(rpt_doc_offset(writer.doc) == writer.text.size(),
                          "a failed splice changed the text");
        }
        expect(begin <= end && end <= writer.text.size(), "a span outside the text is spliced");
        writer.text.replace(begin, end - begin, bytes);
        writer.flushed = writer.text;
        writer.gate = text::Utf8Gate(text::Utf8Gate::Mode::kReplace);
        expect(rpt_doc_offset(writer.doc) == writer.text.size(), "a splice gives another size");
        expect(info.looked_at.begin <= begin && info.looked_at.end >= begin + bytes.size() &&
                   info.looked_at.end <= writer.text.size(),
               "a splice looked at other bytes");
        publish(writer);
    }

    void flush(WriterTwin& writer) {
        rpt_doc_info info{};
        info.struct_size = sizeof info;
        const uint32_t flags = in_.below(2) == 0 ? 0u : RPT_FLUSH_TAIL;
        const rpt_call* call = trouble();
        out_.of(rpt_doc_flush(writer.doc, flags, call, &info, out_.record()));
        if (!passed())
            return expect(was_ended() || (out_.status() == RPT_ERR_STATE &&
                                          (writer.finished || writer.finishing)),
                          "a flush fails");
        expect(info.bytes_accepted == writer.text.size(), "a flush tells another size");
        writer.flushed = writer.text.substr(0, writer.text.size() - writer.cut());
        publish(writer);
    }

    void finish(WriterTwin& writer) {
        rpt_doc_info info{};
        info.struct_size = sizeof info;
        const rpt_call* call = trouble();
        out_.of(rpt_doc_finish(writer.doc, call, &info, out_.record()));
        if (!passed()) {
            if (out_.status() == RPT_ERR_STATE)
                return expect(writer.finished, "an open writer refuses");
            if (out_.status() == RPT_ERR_UTF8)
                return expect(!writer.lossy && writer.cut() > 0, "a whole text is called cut");
            expect(was_ended(), "a finish fails");
            writer.finishing = true;
            return;
        }
        expect(info.flags & RPT_DOC_FINISHED, "a finished document is not");
        const Digest hash = sha256(writer.text.data(), writer.text.size());
        expect(std::equal(hash.begin(), hash.end(), info.content_hash), "another hash of the text");
        writer.flushed = writer.text;
        writer.finished = writer.stored = true;
        writer.replaces = false;
        publish(writer);
    }

    void let_go(WriterTwin& writer) {
        rpt_doc_free(writer.doc);
        writer = {};
    }

    void erase(const std::string& key) {
        const rpt_status status = out_.of(rpt_doc_delete(space_, key.c_str(), out_.record()));
        const StoredTwin* old = visible(key);
        if (writer_of(key))
            return expect(status == RPT_ERR_BUSY, "a document was deleted under its writer");
        if (status == RPT_ERR_NOT_FOUND) return expect(!old || !old->sure, "a document is lost");
        out_.expect_ok("a document cannot be deleted");
        expect(old != nullptr, "a document that nobody wrote");
        stored_.erase(key);
    }

    void reopen() {
        close();
        open();
    }

    // The text under a key that has one.
    std::string text_of(const std::string& key) {
        std::string text(kMostText + 1, '\0');
        size_t got = 0;
        must(out_.of(
            rpt_doc_read(space_, key.c_str(), 0, text.data(), text.size(), &got, out_.record())));
        text.resize(got);
        const StoredTwin* twin = visible(key);
        expect(twin && twin->allows(text), "another text than was written");
        return text;
    }

    void read(const std::string& key) {
        rpt_doc_info info{};
        info.struct_size = sizeof info;
        const rpt_status status = out_.of(rpt_doc_stat(space_, key.c_str(), &info, out_.record()));
        const StoredTwin* twin = visible(key);
        if (status == RPT_ERR_NOT_FOUND) return expect(!twin || !twin->sure, "a document is lost");
        expect(status == RPT_OK && twin, "a document that nobody wrote");
        if (twin->finished)
            expect(info.bytes_accepted == twin->most.size(), "a document of another size");
        char part[64];
        size_t got = 0;
        const uint64_t offset = in_.below(info.bytes_accepted + 2);
        const size_t size = in_.below(sizeof part + 1);
        out_.of(rpt_doc_read(space_, key.c_str(), offset, part, size, &got, out_.record()));
        if (twin->discarded)
            return expect(out_.status() == RPT_ERR_UNSUPPORTED || got == 0,
                          "a discarded text is read");
        out_.expect_ok("a text cannot be read");
        const std::string text = text_of(key);
        expect(text.size() == info.bytes_accepted, "stat and read differ");
        const std::string wanted = offset < text.size() ? text.substr(offset, size) : std::string();
        expect(std::string_view(part, got) == wanted, "a part of the text is another one");
        uint64_t end = 0;
        rpt_segment_info segment{};
        segment.struct_size = sizeof segment;
        for (uint64_t n = 0; out_.of(rpt_doc_get_segment(space_, key.c_str(), n, &segment,
                                                         out_.record())) == RPT_OK;
             ++n) {
            expect(segment.span.begin == end && segment.span.end > end, "segments leave a hole");
            end = segment.span.end;
        }
        expect(end == text.size(), "segments do not cover the text");
    }

    void retrieve() {
        const std::string query = made_text(in_.below(60) + 1, in_.byte());
        rpt_retrieve_options options = RPT_RETRIEVE_OPTIONS_INIT;
        options.k = uint32_t(in_.below(5)) + 1;
        options.flags = RPT_RETRIEVE_TEXT | uint32_t(in_.below(2) * RPT_RETRIEVE_EXACT);
        rpt_hits* hits = nullptr;
        must(out_.of(rpt_retrieve(&space_, 1, query.data(), query.size(), &options, nullptr, &hits,
                                  out_.record())));
        expect(rpt_hits_count(hits) <= options.k, "more hits than were asked for");
        for (size_t i = 0; i < rpt_hits_count(hits); ++i) {
            rpt_hit hit{};
            hit.struct_size = sizeof hit;
            must(out_.of(rpt_hits_get(hits, i, &hit, out_.record())));
            const StoredTwin* twin = visible(std::string(hit.key.data, hit.key.size));
            expect(twin != nullptr, "a hit in a document that is not there");
            if (twin->discarded) continue;
            const uint64_t begin = hit.span.begin, end = hit.span.end;
            expect(begin <= end && end <= twin->most.size(), "a hit outside its document");
            if (twin->least == twin->most)
                expect(twin->most.substr(begin, end - begin) ==
                           std::string_view(hit.text.data, hit.text.size),
                       "a hit's text is not its document's");
        }
        rpt_hits_free(hits);
    }

    void check() {
        uint64_t damaged = 0;
        std::string text;
        const auto visit = [](void* user, const rpt_finding* finding) -> int32_t {
            if (finding->severity == RPT_FINDING_DAMAGE)
                static_cast<std::string*>(user)
                    ->append(finding->text.data, finding->text.size)
                    .append("; ");
            return 0;
        };
        must(out_.of(rpt_store_check(store_, RPT_CHECK_DEEP, nullptr, visit, &text, &damaged,
                                     out_.record())));
        if (damaged > 0) report("the check finds damage", text.c_str());
    }

    // Spans, identities and tokens of all segments and chunks.
    std::string records_of(rpt_space* space, const std::string& key) {
        std::string records;
        rpt_segment_info segment{};
        segment.struct_size = sizeof segment;
        for (uint64_t n = 0;
             out_.of(rpt_doc_get_segment(space, key.c_str(), n, &segment, out_.record())) == RPT_OK;
             ++n) {
            records.append(reinterpret_cast<const char*>(segment.identity), 32);
            records +=
                std::to_string(segment.span.end) + ' ' + std::to_string(segment.chunks) + ';';
        }
        rpt_chunk_info chunk{};
        chunk.struct_size = sizeof chunk;
        for (uint64_t n = 0;
             out_.of(rpt_doc_get_chunk(space, key.c_str(), n, &chunk, out_.record())) == RPT_OK;
             ++n)
            records += std::to_string(chunk.span.begin) + '-' + std::to_string(chunk.span.end) +
                       ' ' + std::to_string(chunk.tokens) + ' ' + std::to_string(chunk.key_norm) +
                       ' ' + std::to_string(chunk.state_rms) + ' ' + std::to_string(chunk.flags) +
                       ';';
        return records;
    }

    void compare_with_fresh(const std::string& key) {
        const StoredTwin* twin = visible(key);
        if (!twin || !twin->finished || twin->discarded) return;
        rpt_space* other = nullptr;
        must(
            out_.of(rpt_space_open(store_, "fresh", "c", RPT_SPACE_CREATE, &other, out_.record())));
        rpt_doc_options options = RPT_DOC_OPTIONS_INIT;
        options.key = key.c_str();
        options.flags = twin->lossy ? RPT_DOC_LOSSY_UTF8 : 0u;
        rpt_doc* doc = nullptr;
        must(out_.of(rpt_doc_begin(other, &options, &doc, out_.record())));
        must(out_.of(
            rpt_doc_append(doc, twin->most.data(), twin->most.size(), nullptr, out_.record())));
        must(out_.of(rpt_doc_finish(doc, nullptr, nullptr, out_.record())));
        rpt_doc_free(doc);
        expect(records_of(space_, key) == records_of(other, key),
               "records depend on how the text came");
        rpt_space_close(other);
    }

    const Library& library_;
    InputBytes in_;
    const std::string path_;
    Outcome out_;
    rpt_store* store_ = nullptr;
    rpt_space* space_ = nullptr;
    std::array<WriterTwin, 2> writers_;
    std::map<std::string, StoredTwin> stored_;
    rpt_call call_ = RPT_CALL_INIT;
    Patience patience_;
};

}  // namespace

void run_doc_calls(InputBytes in) {
    static const Library library;
    Play(library, in).run();
}

}  // namespace rpt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    rpt::fuzz::run_doc_calls(rpt::fuzz::InputBytes(data, size));
    return 0;
}
