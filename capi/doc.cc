#include "capi/doc.h"

#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "capi/guard.h"
#include "capi/records.h"

using namespace rpt::capi;
namespace storage = rpt::storage;
using rpt::reader::DocumentWriter;

namespace {

constexpr size_t kMaxMeta = 65536;
constexpr size_t kMaxUri = 65535;

std::string read_meta(const char* text) {
    if (!text || !*text) return {};
    const size_t size = strnlen(text, kMaxMeta + 1);
    if (size > kMaxMeta) {
        throw rpt::Error(rpt::Status::kArgument, "rpt",
                         "options.meta_json is longer than 65536 bytes");
    }
    check_text(text, size, "options.meta_json");
    if (!nlohmann::json::accept(text, text + size)) {
        throw rpt::Error(rpt::Status::kArgument, "rpt", "options.meta_json is not JSON");
    }
    return {text, size};
}

int64_t now_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

storage::DocumentSpec read_spec(const rpt_doc_options& o) {
    check_flags(o.flags, RPT_DOC_REPLACE | RPT_DOC_LOSSY_UTF8 | RPT_DOC_DISCARD_TEXT,
                "options.flags");
    storage::DocumentSpec spec;
    spec.key = read_name(o.key, kMaxKey, "options.key");
    spec.uri = read_optional_name(o.uri, kMaxUri, "options.uri");
    spec.meta_json = read_meta(o.meta_json);
    spec.timestamp_ms = o.timestamp_ms ? o.timestamp_ms : now_ms();
    spec.replace = o.flags & RPT_DOC_REPLACE;
    spec.discard_text = o.flags & RPT_DOC_DISCARD_TEXT;
    return spec;
}

rpt::text::Utf8Gate::Mode gate_mode(uint32_t flags) {
    return flags & RPT_DOC_LOSSY_UTF8 ? rpt::text::Utf8Gate::Mode::kReplace
                                      : rpt::text::Utf8Gate::Mode::kRefuse;
}

void require_open(const rpt_doc& doc) {
    if (doc.finished) {
        throw rpt::Error(rpt::Status::kState, "rpt",
                         "the document is finished; begin it anew to write");
    }
}

// Keeps the count of bytes true however the call ends.
class AcceptedAfter {
  public:
    explicit AcceptedAfter(rpt_doc& doc) : doc_(doc) {}
    ~AcceptedAfter() {
        doc_.accepted.store(doc_.writer->bytes_accepted(), std::memory_order_relaxed);
    }
    AcceptedAfter(const AcceptedAfter&) = delete;
    AcceptedAfter& operator=(const AcceptedAfter&) = delete;

  private:
    rpt_doc& doc_;
};

rpt_doc_info describe_written(const rpt_doc& doc, const storage::DocumentInfo& stored) {
    rpt_doc_info out = describe(stored);
    out.bytes_accepted = doc.accepted.load(std::memory_order_relaxed);
    return out;
}

}  // namespace

rpt_doc_info rpt::capi::describe(const storage::DocumentInfo& info) {
    rpt_doc_info out{};
    out.struct_size = sizeof out;
    out.flags = info.finished ? RPT_DOC_FINISHED : 0u;
    out.doc_id = info.id;
    out.revision = info.revision;
    out.bytes_accepted = info.bytes;
    out.bytes_searchable = info.bytes_searchable;
    out.tokens = info.tokens;
    out.chunks = info.chunks;
    out.timestamp_ms = info.timestamp_ms;
    if (info.finished)
        std::memcpy(out.content_hash, info.content_hash.data(), sizeof out.content_hash);
    return out;
}

rpt_status rpt_doc_begin(rpt_space* space, const rpt_doc_options* options, rpt_doc** out,
                         rpt_error* err) {
    return guard(err, [&] {
        clear_out(out);
        const SpaceRef ref = require(space, "space").ref;
        const rpt_doc_options o = read_options(options, "options");
        const storage::DocumentSpec spec = read_spec(o);
        const EngineRef engine = ref.store->require_engine();
        Call control(nullptr, ref.store->environment->ending());
        std::unique_ptr<DocumentWriter> writer;
        ref.store->environment->access(control, [&] {
            writer = std::make_unique<DocumentWriter>(engine, ref.space, spec, gate_mode(o.flags),
                                                      ref.store->store->model().context_tokens);
        });
        *out = new rpt_doc(ref, std::move(writer));
    });
}

rpt_status rpt_doc_resume(rpt_space* space, const char* key, uint32_t flags, rpt_doc** out,
                          rpt_error* err) {
    return guard(err, [&] {
        clear_out(out);
        const SpaceRef ref = require(space, "space").ref;
        const std::string name = read_name(key, kMaxKey, "key");
        check_flags(flags, RPT_DOC_LOSSY_UTF8, "flags");
        const EngineRef engine = ref.store->require_engine();
        Call control(nullptr, ref.store->environment->ending());
        std::unique_ptr<DocumentWriter> writer;
        ref.store->environment->access(control, [&] {
            writer = std::make_unique<DocumentWriter>(engine, ref.space, name, gate_mode(flags),
                                                      ref.store->store->model().context_tokens);
        });
        *out = new rpt_doc(ref, std::move(writer));
        (*out)->accepted = (*out)->writer->bytes_accepted();
    });
}

rpt_status rpt_doc_splice(rpt_doc* doc, uint64_t begin, uint64_t end, const void* bytes,
                          size_t size, const rpt_call* call, rpt_splice_info* info,
                          rpt_error* err) {
    return guard(err, [&] {
        const Result<rpt_splice_info> result(info, "info", true);
        const Use<rpt_doc> use(doc, "doc");
        require_open(*doc);
        check_bytes(bytes, size, "bytes");
        const EnvironmentRef environment = doc->environment();
        Call control(call, environment->ending());
        rpt::reader::SpliceResult spliced;
        environment->compute(control, [&] {
            const AcceptedAfter after(*doc);
            spliced = doc->writer->splice({begin, end}, {static_cast<const char*>(bytes), size},
                                          control.control());
        });
        rpt_splice_info out{};
        out.looked_at = {spliced.bytes.begin, spliced.bytes.end};
        out.tokens = spliced.tokens;
        result.set(out);
    });
}

rpt_status rpt_doc_append(rpt_doc* doc, const void* bytes, size_t size, const rpt_call* call,
                          rpt_error* err) {
    return guard(err, [&] {
        const Use<rpt_doc> use(doc, "doc");
        require_open(*doc);
        check_bytes(bytes, size, "bytes");
        const EnvironmentRef environment = doc->environment();
        Call control(call, environment->ending());
        if (size == 0) return;
        environment->compute(control, [&] {
            const AcceptedAfter after(*doc);
            doc->writer->append({static_cast<const char*>(bytes), size}, control.control());
        });
    });
}

uint64_t rpt_doc_offset(const rpt_doc* doc) {
    return doc ? doc->accepted.load(std::memory_order_relaxed) : 0;
}

rpt_status rpt_doc_flush(rpt_doc* doc, uint32_t flags, const rpt_call* call, rpt_doc_info* info,
                         rpt_error* err) {
    return guard(err, [&] {
        const Result<rpt_doc_info> result(info, "info", true);
        const Use<rpt_doc> use(doc, "doc");
        require_open(*doc);
        check_flags(flags, RPT_FLUSH_TAIL, "flags");
        const EnvironmentRef environment = doc->environment();
        Call control(call, environment->ending());
        storage::DocumentInfo stored;
        environment->compute(control, [&] {
            stored = doc->writer->flush(flags & RPT_FLUSH_TAIL, control.control());
        });
        result.set(describe_written(*doc, stored));
    });
}

rpt_status rpt_doc_finish(rpt_doc* doc, const rpt_call* call, rpt_doc_info* info, rpt_error* err) {
    return guard(err, [&] {
        const Result<rpt_doc_info> result(info, "info", true);
        const Use<rpt_doc> use(doc, "doc");
        require_open(*doc);
        const EnvironmentRef environment = doc->environment();
        Call control(call, environment->ending());
        storage::DocumentInfo stored;
        environment->compute(control, [&] { stored = doc->writer->finish(control.control()); });
        doc->finished = true;
        result.set(describe_written(*doc, stored));
    });
}

void rpt_doc_free(rpt_doc* doc) {
    if (doc && !doc->foreign()) Use<rpt_doc>::release(doc);
}
