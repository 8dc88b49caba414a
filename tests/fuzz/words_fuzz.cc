// Target words: whatever a text is, its terms lie within it, and an index of it, made at once or of
// parts, finds the same.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/words/word_search.h"
#include "tests/fuzz/finding.h"
#include "tests/fuzz/input_bytes.h"

namespace rpt::fuzz {
namespace {

using namespace storage;

class NoFilter final : public RowFilter {
  public:
    bool excludes_some() const override { return false; }
    bool is_excluded(const RowFacts&) override { return false; }
    uint64_t document_of(const RowFacts& facts) override { return facts.chunk; }
};

void check_terms(std::string_view text) {
    size_t bytes = 0;
    const auto check = [&](const Term& term) {
        expect(term.begin < term.end && term.end <= text.size(), "a term lies outside its text");
        expect(!term.text.empty() && term.text.size() <= kMostTermBytes, "a term of a wrong size");
        if (term.kind != TermKind::kWord) return;
        bytes += term.text.size();
        expect(!grams_of(term.text).empty(), "a word without pieces");
    };
    for_each_word(text, check);
    for_each_definition(text, check);
    expect(bytes <= 4 * text.size() + 4, "more words than text");
}

std::vector<WordPartBuilder::Chunk> cut(size_t bytes, size_t chunk) {
    std::vector<WordPartBuilder::Chunk> chunks;
    for (size_t at = 0; at < bytes; at += chunk)
        chunks.push_back({chunks.size() + 1, {at, std::min(bytes, at + chunk)}});
    return chunks;
}

std::vector<Hit> ask(const std::shared_ptr<const WordPart>& part, const SegmentVersion& version,
                     std::string_view question, WordLeg leg) {
    auto snapshot = std::make_shared<WordSnapshot>();
    snapshot->add(living_part(part, {version}));
    const std::shared_ptr<const WordSnapshot> shared = snapshot;
    NoFilter none;
    return search_words({&shared, 1}, question, leg, 50, {}, none, {});
}

void check_index(std::string_view text, std::string_view question, size_t chunk) {
    const std::vector<WordPartBuilder::Chunk> chunks = cut(text.size(), chunk);
    if (chunks.empty()) return;
    const SegmentVersion version{1, chunks.back().chunk};
    WordPartBuilder builder;
    builder.add(version, text, chunks);
    const auto part = builder.finish();
    WordPartBuilder again;
    again.add(*part, [](const SegmentVersion&) { return true; });
    const auto copy = again.finish();
    for (const WordLeg leg : {WordLeg::kWords, WordLeg::kGrams, WordLeg::kDefinitions}) {
        const std::vector<Hit> one = ask(part, version, question, leg);
        const std::vector<Hit> other = ask(copy, version, question, leg);
        expect(one.size() == other.size(), "a copy of an index finds more or less");
        for (size_t i = 0; i < one.size(); ++i)
            expect(one[i].chunk_id == other[i].chunk_id && one[i].score == other[i].score,
                   "a copy of an index finds something else");
    }
}

}  // namespace
}  // namespace rpt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    rpt::fuzz::InputBytes in(data, size);
    const size_t chunk = in.below(60) + 1, question = in.below(80);
    const std::string_view text = in.rest();
    rpt::fuzz::check_terms(text);
    rpt::fuzz::check_index(text, text.substr(0, question), chunk);
    return 0;
}
