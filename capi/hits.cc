#include "capi/hits.h"

#include <cmath>
#include <string>

#include "capi/guard.h"
#include "capi/records.h"
#include "core/model/reading.h"

namespace rpt::capi {

namespace {

rpt_str borrow(const std::string& text) {
    return {text.data(), text.size()};
}
rpt_span span(const ByteSpan& bytes) {
    return {bytes.begin, bytes.end};
}

rpt_hit describe(const reader::RetrievedChunk& chunk, size_t rank) {
    const storage::HitInfo& info = chunk.info;
    rpt_hit out{};
    out.flags = chunk.own ? RPT_HIT_OWN : 0u;
    if (chunk.reading == model::kReadUpper) out.flags |= RPT_HIT_UPPER;
    if (chunk.reading == model::kReadText) out.flags |= RPT_HIT_TEXT;
    out.rank = static_cast<uint32_t>(rank);
    out.score = chunk.score;
    out.gate = chunk.gate;
    out.chunk_id = info.chunk_id;
    out.doc_id = info.document_id;
    out.revision = info.revision;
    out.ordinal = info.ordinal;
    out.span = span(info.bytes);
    out.next = span(info.next_bytes);
    out.owner = borrow(info.owner);
    out.collection = borrow(info.collection);
    out.key = borrow(info.key);
    out.uri = borrow(info.uri);
    out.text = borrow(chunk.text);
    out.next_text = borrow(chunk.next_text);
    out.timestamp_ms = info.timestamp_ms;
    out.copied = chunk.copied;
    for (size_t leg = 0; leg < reader::kLegs; ++leg) {
        out.leg_ranks[leg] = chunk.legs[leg].rank;
        out.leg_scores[leg] = chunk.legs[leg].score;
    }
    return out;
}

}  // namespace

reader::RetrieveOptions read_retrieve_options(const rpt_retrieve_options* options,
                                              const char* name) {
    constexpr size_t kFirst = offsetof(rpt_retrieve_options, legs);
    const rpt_retrieve_options o = read_options(options, name, kFirst);
    check_flags(o.flags, RPT_RETRIEVE_TEXT | RPT_RETRIEVE_EXACT, "options.flags");
    check_flags(o.legs, reader::kAllLegs, "options.legs");
    check_flags(o.has_times, RPT_RETRIEVE_SINCE | RPT_RETRIEVE_BEFORE, "options.has_times");
    if (o.k > kMaxHits || o.has_min_score > 1 || !std::isfinite(o.min_score) ||
        o.exclude_bytes.begin > o.exclude_bytes.end) {
        throw Error(Status::kArgument, "rpt",
                    std::string("\"") + name +
                        "\" is out of range: k to 1024, has_min_score 0 or 1, min_score finite, "
                        "exclude_bytes "
                        "begin <= end");
    }
    reader::RetrieveOptions out;
    out.k = o.k;
    out.with_text = o.flags & RPT_RETRIEVE_TEXT;
    out.filter.exact = o.flags & RPT_RETRIEVE_EXACT;
    out.filter.max_per_document = o.max_per_doc;
    if (o.has_min_score) out.filter.min_score = o.min_score;
    out.filter.exclude_key = read_optional_name(o.exclude_key, kMaxKey, "exclude_key");
    out.filter.exclude_bytes = {o.exclude_bytes.begin, o.exclude_bytes.end};
    if ((o.has_times & RPT_RETRIEVE_SINCE) != 0) out.filter.since_ms = o.since_ms;
    if ((o.has_times & RPT_RETRIEVE_BEFORE) != 0) out.filter.before_ms = o.before_ms;
    out.filter.key_pattern = read_optional_name(o.key_pattern, kMaxKey, "key_pattern");
    if (options != nullptr && options->struct_size <= kFirst)
        out.legs = RPT_LEG_KEYS;
    else if (o.legs != 0)
        out.legs = o.legs;
    return out;
}

reader::RetrieveOptions read_session_retrieve_options(const rpt_retrieve_options* options,
                                                      const char* name) {
    const reader::RetrieveOptions out = read_retrieve_options(options, name);
    if (out.legs != RPT_LEG_KEYS && out.legs != reader::kAllLegs)
        throw Error(
            Status::kArgument, "rpt",
            std::string("\"") + name + "\" names legs that rpt_retrieve alone asks; leave legs 0");
    return out;
}

SpaceList read_spaces(rpt_space* const* spaces, size_t n_spaces) {
    if (n_spaces > kMaxSpaces) {
        throw Error(Status::kArgument, "rpt",
                    std::to_string(n_spaces) + " spaces are more than 64");
    }
    if (n_spaces && !spaces) throw_null("spaces");
    SpaceList out;
    for (size_t i = 0; i < n_spaces; ++i) {
        const SpaceRef& ref = require(spaces[i], "spaces").ref;
        if (out.store && out.store != ref.store) {
            throw Error(Status::kArgument, "rpt",
                        "the spaces belong to different stores; give spaces of one store");
        }
        out.store = ref.store;
        out.spaces.push_back(ref.space);
    }
    return out;
}

}  // namespace rpt::capi

using namespace rpt::capi;

static_assert(rpt::reader::kLegs <= sizeof(rpt_hit::leg_ranks) / sizeof(uint32_t));
static_assert(RPT_LEG_KEYS == 1u << rpt::reader::kLegKeys &&
              RPT_LEG_WORDS == 1u << rpt::reader::kLegWords &&
              RPT_LEG_GRAMS == 1u << rpt::reader::kLegGrams &&
              RPT_LEG_DEFINITIONS == 1u << rpt::reader::kLegDefinitions &&
              RPT_LEG_STATES == 1u << rpt::reader::kLegStates);

rpt_status rpt_retrieve(rpt_space* const* spaces, size_t n_spaces, const void* text, size_t size,
                        const rpt_retrieve_options* options, const rpt_call* call, rpt_hits** out,
                        rpt_error* err) {
    return guard(err, [&] {
        clear_out(out);
        const SpaceList list = read_spaces(spaces, n_spaces);
        if (!list.store)
            throw rpt::Error(rpt::Status::kArgument, "rpt",
                             "no spaces to search; give at least one");
        check_text(text, size, "text");
        if (!size)
            throw rpt::Error(rpt::Status::kArgument, "rpt",
                             "\"text\" is empty; there is nothing to ask");
        const rpt::reader::RetrieveOptions choices = read_retrieve_options(options, "options");
        const EngineRef engine = list.store->require_engine();
        Call control(call, list.store->environment->ending());
        std::vector<rpt::reader::RetrievedChunk> found;
        list.store->environment->compute(control, [&] {
            found = rpt::reader::retrieve(*engine, list.spaces, *list.store->store,
                                          {static_cast<const char*>(text), size}, choices,
                                          control.control());
        });
        *out = new rpt_hits(std::move(found));
    });
}

size_t rpt_hits_count(const rpt_hits* hits) {
    return hits ? hits->found.size() : 0;
}

rpt_status rpt_hits_get(const rpt_hits* hits, size_t index, rpt_hit* hit, rpt_error* err) {
    return guard(err, [&] {
        const Result<rpt_hit> result(hit, "hit", false, offsetof(rpt_hit, copied));
        const auto& found = require(hits, "hits").found;
        if (index >= found.size()) {
            throw rpt::Error(
                rpt::Status::kArgument, "rpt",
                "hit " + std::to_string(index) + " of " + std::to_string(found.size()));
        }
        result.set(describe(found[index], index));
    });
}

void rpt_hits_free(rpt_hits* hits) {
    if (hits && !hits->foreign()) delete hits;
}
