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
        for (size_t leg = 0; leg < kLegNames.size(); ++leg)
            if (hit.leg_ranks[leg] != 0)
                record.legs.push_back({leg, hit.leg_ranks[leg], hit.leg_scores[leg]});
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

nlohmann::ordered_json legs_json(const HitRecord& hit) {
    auto out = nlohmann::ordered_json::object();
    for (const auto& [leg, rank, score] : hit.legs)
        out[kLegNames[leg]] = {{"rank", rank}, {"score", score}};
    return out;
}

std::string legs_line(const HitRecord& hit) {
    std::string out;
    for (const auto& [leg, rank, score] : hit.legs)
        out += (out.empty() ? "" : ", ") + std::string(kLegNames[leg]) + " #" +
               std::to_string(rank) + " (" + format_fixed(score, 2) + ")";
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

rpt_space* LineFinder::space_of(const Workplace& place, const Settings& settings,
                                const HitRecord& hit) {
    if (hit.own) return nullptr;
    for (size_t i = 0; i < place.spaces.size(); ++i)
        if (settings.collections[i] == hit.collection && settings.owner == hit.owner)
            return place.spaces[i].get();
    return nullptr;
}

const std::vector<uint64_t>* LineFinder::line_ends_of(rpt_space* space, const std::string& key) {
    auto [entry, is_new] = line_ends_.try_emplace({space, key});
    if (is_new) entry->second = read_line_ends(space, key);
    return entry->second ? &*entry->second : nullptr;
}

std::optional<uint64_t> LineFinder::line_of(const Workplace& place, const Settings& settings,
                                            const HitRecord& hit) {
    rpt_space* space = space_of(place, settings, hit);
    const auto* ends = space != nullptr ? line_ends_of(space, hit.key) : nullptr;
    if (ends == nullptr) return std::nullopt;
    return 1 + static_cast<uint64_t>(std::ranges::lower_bound(*ends, hit.begin) - ends->begin());
}

std::string LineFinder::whole_lines(const Workplace& place, const Settings& settings,
                                    const HitRecord& hit) {
    constexpr uint64_t kMostMore = 400;  // bytes on each side: a line may be a whole file
    rpt_space* space = space_of(place, settings, hit);
    const auto* ends = space != nullptr ? line_ends_of(space, hit.key) : nullptr;
    if (ends == nullptr || hit.begin >= hit.end) return hit.text;
    // the end of a line is where its last byte stands
    const auto before = std::ranges::lower_bound(*ends, hit.begin);
    const auto behind = std::ranges::lower_bound(*ends, hit.end - 1);
    const uint64_t begin = before == ends->begin() ? 0 : *(before - 1) + 1;
    const uint64_t end = behind == ends->end() ? hit.end : *behind + 1;
    if (hit.begin - begin > kMostMore || end - hit.end > kMostMore) return hit.text;
    std::string text(end - begin, '\0');
    size_t got = 0;
    if (rpt_doc_read(space, hit.key.c_str(), begin, text.data(), text.size(), &got, nullptr) < 0)
        return hit.text;
    text.resize(got);
    return text;
}

}  // namespace rpt::cli
