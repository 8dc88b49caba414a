#include "apps/rpt/hit_record.h"

#include <algorithm>

#include "apps/rpt/interrupt.h"
#include "apps/rpt/line_ends.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {

std::vector<HitRecord> copy_hits(const rpt_hits* hits) {
    std::vector<HitRecord> out;
    for (size_t i = 0; i < rpt_hits_count(hits); ++i) {
        rpt_hit hit = {};
        hit.struct_size = sizeof(hit);
        Error error;
        error.check(rpt_hits_get(hits, i, &hit, error.out()));
        HitRecord record;
        record.own = (hit.flags & RPT_HIT_OWN) != 0;
        record.score = hit.score;
        record.gate = hit.gate;
        record.copied = hit.copied;
        record.upper = (hit.flags & RPT_HIT_UPPER) != 0;
        record.text_read = (hit.flags & RPT_HIT_TEXT) != 0;
        record.owner = view(hit.owner);
        record.collection = view(hit.collection);
        record.key = view(hit.key);
        record.text = view(hit.text);
        record.chunk = hit.ordinal;
        record.begin = hit.span.begin;
        record.end = hit.span.end;
        out.push_back(std::move(record));
    }
    return out;
}

nlohmann::ordered_json hit_json(const HitRecord& hit, std::optional<uint64_t> line) {
    nlohmann::ordered_json out = {
        {"score", hit.score}, {"owner", hit.owner}, {"collection", hit.collection},
        {"key", hit.key},     {"chunk", hit.chunk}, {"begin", hit.begin},
        {"end", hit.end}};
    out["line"] = line ? nlohmann::ordered_json(*line) : nlohmann::ordered_json(nullptr);
    out["text"] = hit.text;
    return out;
}

nlohmann::ordered_json shaping_hit_json(const HitRecord& hit, std::optional<uint64_t> line) {
    nlohmann::ordered_json out = hit_json(hit, line);
    if (hit.own) {
        for (const char* name : {"owner", "collection", "key"}) out[name] = nullptr;
    }
    out["gate"] = hit.gate;
    out["copied"] = hit.copied;
    out["read"] = hit.copied > 0 ? "copy" : hit.upper ? "upper" : hit.text_read ? "text" : "cca";
    out["own"] = hit.own;
    return out;
}

std::string use_of(const HitRecord& hit, int decimals) {
    if (hit.upper || hit.text_read)
        return (hit.upper ? "upper " : "text ") + format_fixed(100.0 * double(hit.score), 1) + " %";
    return hit.copied > 0 ? "copied " + format_fixed(100.0 * double(hit.copied), 1) + " %"
                          : "gate " + format_fixed(hit.gate, decimals);
}

std::string hit_line(const HitRecord& hit) {
    const std::string where = hit.own ? "this text" : printable(hit.key);
    const std::string score = hit.copied > 0 || hit.upper || hit.text_read
                                  ? ""
                                  : "score " + format_fixed(hit.score, 3) + "  ";
    return where + " [" + std::to_string(hit.begin) + ", " + std::to_string(hit.end) + ")  " +
           score + use_of(hit, 3) + "  \"" + first_line(hit.text, 60) + "\"";
}

std::optional<std::vector<uint64_t>> LineFinder::read_line_ends(rpt_space* space,
                                                                const std::string& key) {
    std::vector<uint64_t> found;
    std::vector<char> piece(1 << 20);
    LineEnds ends;
    for (uint64_t at = 0;;) {
        size_t got = 0;
        // a document deleted since the search, or kept without its text, has no lines to tell
        if (rpt_doc_read(space, key.c_str(), at, piece.data(), piece.size(), &got, nullptr) < 0)
            return std::nullopt;
        if (interrupted()) fail_stopped("");
        ends.feed({piece.data(), got}, found);
        at += got;
        if (got == piece.size()) continue;
        ends.finish(found);
        return found;
    }
}

std::optional<uint64_t> LineFinder::line_of(const Workplace& place, const Settings& settings,
                                            const HitRecord& hit) {
    if (hit.own) return std::nullopt;
    for (size_t i = 0; i < place.spaces.size(); ++i) {
        if (settings.collections[i] != hit.collection || settings.owner != hit.owner) continue;
        rpt_space* space = place.spaces[i].get();
        auto [entry, is_new] = line_ends_.try_emplace({space, hit.key});
        if (is_new) entry->second = read_line_ends(space, hit.key);
        if (!entry->second) return std::nullopt;
        const auto& ends = *entry->second;
        return 1 + static_cast<uint64_t>(std::lower_bound(ends.begin(), ends.end(), hit.begin) -
                                         ends.begin());
    }
    return std::nullopt;
}

}  // namespace rpt::cli
