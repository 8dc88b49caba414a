// Stored documents: facts, bytes, chunks, listing, deletion.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "capi/doc.h"
#include "capi/guard.h"
#include "capi/records.h"

using namespace rpt::capi;
namespace storage = rpt::storage;

namespace {

// Documents a listing fetches at once: no lock and no snapshot is held while the visitor works.
constexpr size_t kListPage = 256;

// Runs on a disk worker: the space and no more.
void access(const SpaceRef& ref, const std::function<void()>& work) {
    Call control(nullptr, ref.store->environment->ending());
    ref.store->environment->access(control, work);
}

storage::DocumentInfo find(const SpaceRef& ref, const std::string& key) {
    std::optional<storage::DocumentInfo> found;
    access(ref, [&] { found = ref.space->find_document(key); });
    if (!found) {
        throw rpt::Error(rpt::Status::kNotFound, "rpt",
                         "no document \"" + key + "\" in space \"" + ref.space->owner() + "/" +
                             ref.space->collection() + "\"");
    }
    return *std::move(found);
}

double sum_of_squares(const std::vector<float>& values) {
    double sum = 0;
    for (float v : values) sum += static_cast<double>(v) * v;
    return sum;
}

storage::ChunkRecord find_chunk(const SpaceRef& ref, const std::string& key, uint64_t ordinal) {
    std::optional<storage::ChunkRecord> chunk;
    access(ref, [&] { chunk = ref.space->read_chunk(key, ordinal); });
    if (!chunk) {
        throw rpt::Error(rpt::Status::kNotFound, "rpt",
                         "no chunk " + std::to_string(ordinal) + " of a document \"" + key + "\"");
    }
    return *std::move(chunk);
}

rpt_chunk_info describe_chunk(const storage::ChunkRecord& chunk, uint64_t ordinal) {
    rpt_chunk_info out{};
    out.flags = chunk.provisional ? RPT_CHUNK_PROVISIONAL : 0u;
    out.ordinal = ordinal;
    out.span = {chunk.bytes.begin, chunk.bytes.end};
    out.tokens = static_cast<uint32_t>(chunk.tokens.size());
    out.key_dim = static_cast<uint32_t>(chunk.key.size());
    out.key_norm = static_cast<float>(std::sqrt(sum_of_squares(chunk.key)));
    const double n = std::max<double>(1, static_cast<double>(chunk.states.size()));
    out.state_rms = static_cast<float>(std::sqrt(sum_of_squares(chunk.states) / n));
    return out;
}

}  // namespace

rpt_status rpt_doc_delete(rpt_space* space, const char* key, rpt_error* err) {
    return guard(err, [&] {
        const SpaceRef ref = require(space, "space").ref;
        const std::string name = read_name(key, kMaxKey, "key");
        access(ref, [&] { ref.space->delete_document(name); });
    });
}

rpt_status rpt_doc_stat(rpt_space* space, const char* key, rpt_doc_info* info, rpt_error* err) {
    return guard(err, [&] {
        const Result<rpt_doc_info> result(info, "info");
        const SpaceRef ref = require(space, "space").ref;
        result.set(describe(find(ref, read_name(key, kMaxKey, "key"))));
    });
}

rpt_status rpt_doc_read(rpt_space* space, const char* key, uint64_t offset, void* buffer,
                        size_t capacity, size_t* got, rpt_error* err) {
    return guard(err, [&] {
        if (!got) throw_null("got");
        *got = 0;
        const SpaceRef ref = require(space, "space").ref;
        const std::string name = read_name(key, kMaxKey, "key");
        check_bytes(buffer, capacity, "buffer");
        std::string text;
        access(ref, [&] { text = ref.space->read_text(name, offset, capacity); });
        *got = std::min(text.size(), capacity);
        if (*got) std::memcpy(buffer, text.data(), *got);
    });
}

rpt_status rpt_doc_get_field(rpt_space* space, const char* key, int32_t field, char* buffer,
                             size_t capacity, size_t* size, rpt_error* err) {
    return guard(err, [&] {
        if (!size) throw_null("size");
        *size = 0;
        const SpaceRef ref = require(space, "space").ref;
        const std::string name = read_name(key, kMaxKey, "key");
        check_bytes(buffer, capacity, "buffer");
        if (field != RPT_FIELD_URI && field != RPT_FIELD_META) {
            throw rpt::Error(
                rpt::Status::kArgument, "rpt",
                "field is " + std::to_string(field) + "; use RPT_FIELD_URI or RPT_FIELD_META");
        }
        const storage::DocumentInfo info = find(ref, name);
        const std::string& value = field == RPT_FIELD_URI ? info.uri : info.meta_json;
        *size = value.size();
        if (capacity && !value.empty())
            std::memcpy(buffer, value.data(), std::min(capacity, value.size()));
    });
}

rpt_status rpt_doc_list(rpt_space* space, const char* after_key, rpt_doc_visit_fn visit, void* user,
                        rpt_error* err) {
    return guard(err, [&] {
        const SpaceRef ref = require(space, "space").ref;
        std::string after = read_optional_name(after_key, kMaxKey, "after_key");
        if (!visit) throw_null("visit");
        for (;;) {
            std::vector<storage::DocumentInfo> page;
            access(ref, [&] {
                ref.space->list_documents(after, [&](const storage::DocumentInfo& info) {
                    page.push_back(info);
                    return page.size() < kListPage;
                });
            });
            for (const storage::DocumentInfo& info : page) {
                const rpt_doc_info facts = describe(info);
                int32_t answer = 0;
                run_host_code([&] { answer = visit(user, info.key.c_str(), &facts); });
                if (!go_on(answer)) return;
            }
            if (page.size() < kListPage) return;
            after = page.back().key;
        }
    });
}

rpt_status rpt_doc_get_segment(rpt_space* space, const char* key, uint64_t number,
                               rpt_segment_info* info, rpt_error* err) {
    return guard(err, [&] {
        const Result<rpt_segment_info> result(info, "info");
        const SpaceRef ref = require(space, "space").ref;
        const std::string name = read_name(key, kMaxKey, "key");
        std::optional<storage::SegmentInfo> segment;
        access(ref, [&] { segment = ref.space->segment_at(name, number); });
        if (!segment) {
            throw rpt::Error(rpt::Status::kNotFound, "rpt",
                             "document \"" + name + "\" has no segment " + std::to_string(number));
        }
        rpt_segment_info out{};
        out.segment_id = segment->id;
        out.span = {segment->bytes.begin, segment->bytes.end};
        out.chunks = segment->chunks;
        std::memcpy(out.identity, segment->identity.data(), sizeof out.identity);
        result.set(out);
    });
}

rpt_status rpt_doc_read_chunk(rpt_space* space, const char* key, uint64_t ordinal, int32_t part,
                              void* buffer, size_t capacity, size_t* size, rpt_error* err) {
    return guard(err, [&] {
        if (!size) throw_null("size");
        *size = 0;
        const SpaceRef ref = require(space, "space").ref;
        const std::string name = read_name(key, kMaxKey, "key");
        check_bytes(buffer, capacity, "buffer");
        if (part < RPT_CHUNK_TOKENS || part > RPT_CHUNK_STATES) {
            throw rpt::Error(rpt::Status::kArgument, "rpt",
                             "part is " + std::to_string(part) +
                                 "; use RPT_CHUNK_TOKENS, RPT_CHUNK_KEY or RPT_CHUNK_STATES");
        }
        const storage::ChunkRecord chunk = find_chunk(ref, name, ordinal);
        const void* data = chunk.tokens.data();
        *size = chunk.tokens.size() * sizeof(int32_t);
        if (part != RPT_CHUNK_TOKENS) {
            const std::vector<float>& values = part == RPT_CHUNK_KEY ? chunk.key : chunk.states;
            data = values.data();
            *size = values.size() * sizeof(float);
        }
        if (capacity && *size) std::memcpy(buffer, data, std::min(capacity, *size));
    });
}

rpt_status rpt_doc_get_chunk(rpt_space* space, const char* key, uint64_t ordinal,
                             rpt_chunk_info* info, rpt_error* err) {
    return guard(err, [&] {
        const Result<rpt_chunk_info> result(info, "info");
        const SpaceRef ref = require(space, "space").ref;
        const std::string name = read_name(key, kMaxKey, "key");
        result.set(describe_chunk(find_chunk(ref, name, ordinal), ordinal));
    });
}
