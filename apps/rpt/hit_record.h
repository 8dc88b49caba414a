// What a hit says, as JSON and for people.
#pragma once

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/rpt/workplace.h"

namespace rpt::cli {

struct HitRecord {
    bool own = false;  // of the text's own past; no owner, collection and key then
    float score = 0, gate = 1;
    float copied = 0;  // share of the probability that was copied from it; 0: read otherwise
    bool upper = false,
         text_read = false;  // through the upper layers; as text before the last text
    std::string owner, collection, key, text;
    uint64_t chunk = 0, begin = 0, end = 0;
    struct LegPlace {
        size_t leg;
        uint32_t rank;
        float score;
    };
    std::vector<LegPlace> legs;  // that found it
};

// Of a search, in order of their numbers in rpt.h.
inline constexpr std::array kLegNames{"keys", "words", "grams", "definitions", "states"};

std::vector<HitRecord> copy_hits(const rpt_hits* hits);
nlohmann::ordered_json hit_json(const HitRecord& hit, std::optional<uint64_t> line);
// The legs that found it, by name, with rank and score; as `words #1 (12.30), keys #3 (0.81)`.
nlohmann::ordered_json legs_json(const HitRecord& hit);
std::string legs_line(const HitRecord& hit);
// The same with what only reading gives a meaning: the gate, what was copied, and whether it was
// the text's own past.
nlohmann::ordered_json shaping_hit_json(const HitRecord& hit, std::optional<uint64_t> line);
// `key [begin, end)  score 1.23  gate 0.45  "first line"`, or `copied 12.3 %` where that is so.
std::string hit_line(const HitRecord& hit);
// `gate 0.45`, or `copied 12.3 %`, or `upper 12.3 %`: the chunk's part of what the last tokens ask
// for.
std::string use_of(const HitRecord& hit, int decimals);

// Numbers of lines in stored documents. Reads a document once.
class LineFinder {
  public:
    // From 1; nothing if the text is not kept.
    std::optional<uint64_t> line_of(const Workplace& place, const Settings& settings,
                                    const HitRecord& hit);
    // The lines that the hit touches, whole; its own text if they are long or not kept.
    std::string whole_lines(const Workplace& place, const Settings& settings, const HitRecord& hit);

  private:
    static rpt_space* space_of(const Workplace& place, const Settings& settings,
                               const HitRecord& hit);
    // Null if the text is not kept.
    const std::vector<uint64_t>* line_ends_of(rpt_space* space, const std::string& key);
    static std::optional<std::vector<uint64_t>> read_line_ends(rpt_space* space,
                                                               const std::string& key);
    std::map<std::pair<rpt_space*, std::string>, std::optional<std::vector<uint64_t>>> line_ends_;
};

}  // namespace rpt::cli
