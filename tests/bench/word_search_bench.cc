// The legs of a search by text at size: how fast texts are indexed, what the index takes in memory,
// and how long a question takes. The best hit of some questions is compared with a count over all
// texts first.
//
//   word_search_bench FILE... [--bytes N] [--questions N]
//
// Files of UTF-8 are read up to N bytes together (64 MB), cut into segments of about 3,000 bytes
// and chunks of about 250, as 64 tokens are.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "storage/words/word_search.h"

namespace {

using namespace rpt::storage;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Text {
    std::string text;
    std::vector<WordPartBuilder::Chunk> chunks;
};

std::vector<Text> cut(const std::string& all) {
    constexpr size_t kSegment = 3000, kChunk = 250;
    std::vector<Text> out;
    uint64_t number = 0;
    const auto border = [&](size_t at) {
        while (at < all.size() && (static_cast<uint8_t>(all[at]) & 0xC0) == 0x80) ++at;
        return std::min(at, all.size());
    };
    for (size_t begin = 0; begin < all.size();) {
        const size_t end = border(begin + kSegment);
        Text text{all.substr(begin, end - begin), {}};
        for (size_t at = begin; at < end;) {
            const size_t next = std::min(border(at + kChunk), end);
            text.chunks.push_back({++number, {at - begin, next - begin}});
            at = next;
        }
        out.push_back(std::move(text));
        begin = end;
    }
    return out;
}

class NoFilter final : public RowFilter {
  public:
    bool excludes_some() const override { return false; }
    bool is_excluded(const RowFacts&) override { return false; }
    uint64_t document_of(const RowFacts& facts) override { return facts.chunk; }
};

// Scores of the words leg by counting in every chunk.
std::map<uint64_t, double> count_words(const std::vector<Text>& texts, std::string_view question) {
    std::map<std::string, double> wanted;
    for_each_word(question, [&](const Term& term) { ++wanted[std::string(term.text)]; });
    struct Chunk {
        std::map<std::string, double> counts;
        double words = 0;
    };
    std::map<uint64_t, Chunk> chunks;
    double words = 0;
    std::map<std::string, double> holders;
    for (const Text& text : texts) {
        for (const auto& chunk : text.chunks) chunks[chunk.chunk];
        for_each_word(text.text, [&](const Term& term) {
            for (const auto& chunk : text.chunks) {
                if (term.begin >= chunk.bytes.end || term.end <= chunk.bytes.begin) continue;
                Chunk& counted = chunks[chunk.chunk];
                if (term.kind == TermKind::kWord) {
                    ++counted.words;
                    ++words;
                }
                const auto found = wanted.find(std::string(term.text));
                if (found != wanted.end() && ++counted.counts[found->first] == 1)
                    ++holders[found->first];
            }
        });
    }
    const double all = double(chunks.size()), mean = words / all;
    std::map<uint64_t, double> scores;
    for (const auto& [number, chunk] : chunks)
        for (const auto& [word, tf] : chunk.counts) {
            const double n = holders[word], idf = std::log(1 + (all - n + 0.5) / (n + 0.5));
            scores[number] +=
                wanted[word] * idf * tf * 2.5 / (tf + 1.5 * (0.25 + 0.75 * chunk.words / mean));
        }
    return scores;
}

double share_of(std::vector<double> values, double share) {
    std::ranges::sort(values);
    return values[std::min(values.size() - 1, size_t(share * double(values.size())))];
}

}  // namespace

int main(int argc, char** argv) {
    size_t most = 64'000'000, questions = 200;
    std::string all;
    std::vector<const char*> files;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--bytes" && i + 1 < argc)
            most = std::stoull(argv[++i]);
        else if (word == "--questions" && i + 1 < argc)
            questions = std::stoull(argv[++i]);
        else
            files.push_back(argv[i]);
    }
    for (const char* path : files) {
        std::ifstream file(path, std::ios::binary);
        all.append(std::istreambuf_iterator<char>(file), {});
        if (all.size() > most) all.resize(most);
    }
    if (all.empty() || questions == 0) {
        std::fputs("word_search_bench FILE... [--bytes N] [--questions N]\n", stderr);
        return 2;
    }
    const std::vector<Text> texts = cut(all);
    size_t chunks = 0;
    const Clock::time_point begin = Clock::now();
    WordPartBuilder builder;
    std::set<SegmentVersion> visible;
    for (size_t i = 0; i < texts.size(); ++i) {
        const SegmentVersion version{i + 1, texts[i].chunks.back().chunk};
        builder.add(version, texts[i].text, texts[i].chunks);
        visible.insert(version);
        chunks += texts[i].chunks.size();
    }
    auto snapshot = std::make_shared<WordSnapshot>();
    snapshot->add(living_part(builder.finish(), visible));
    const double built = seconds_since(begin);
    std::printf(
        "%zu bytes, %zu chunks: indexed in %.2f s, %.1f MB/s, %.0f bytes a chunk in memory\n",
        all.size(), chunks, built, double(all.size()) / built / 1e6,
        double(snapshot->memory_bytes) / double(chunks));

    std::mt19937 random(1);
    const auto draw = [&] {
        const std::string& text = texts[random() % texts.size()].text;
        return text.substr(random() % std::max<size_t>(1, text.size() - 60), 60);
    };
    NoFilter none;
    const std::shared_ptr<const WordSnapshot> shared = snapshot;
    const auto ask = [&](const std::string& question, WordLeg leg, size_t k) {
        return search_words({&shared, 1}, question, leg, k, {}, none, {});
    };
    for (int i = 0; i < 3; ++i) {
        const std::string question = draw();
        const std::map<uint64_t, double> expected = count_words(texts, question);
        const std::vector<Hit> hits = ask(question, WordLeg::kWords, 10);
        for (const Hit& hit : hits) {
            const auto found = expected.find(hit.chunk_id);
            if (found == expected.end() || std::abs(found->second - double(hit.score)) > 1e-3) {
                std::fprintf(stderr, "chunk %llu has a wrong score\n",
                             static_cast<unsigned long long>(hit.chunk_id));
                return 1;
            }
        }
    }
    for (const auto& [name, leg] : {std::pair{"words", WordLeg::kWords},
                                    {"grams", WordLeg::kGrams},
                                    {"definitions", WordLeg::kDefinitions}}) {
        std::vector<double> times;
        for (size_t i = 0; i < questions; ++i) {
            const std::string question = draw();
            const Clock::time_point asked = Clock::now();
            ask(question, leg, 64);
            times.push_back(1e3 * seconds_since(asked));
        }
        std::printf("%-12s p50 %.2f ms, p95 %.2f ms\n", name, share_of(times, 0.5),
                    share_of(times, 0.95));
    }
    return 0;
}
