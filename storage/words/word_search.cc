#include "storage/words/word_search.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

namespace rpt::storage {
namespace {

constexpr double kK1 = 1.5, kB = 0.75;

// What is looked for, each once with the places in the question.
using Counts = std::map<std::string, uint32_t, std::less<>>;

struct Wanted {
    Counts words, identifiers, grams;
};

Wanted read_question(std::string_view text) {
    Wanted wanted;
    for_each_word(text, [&](const Term& term) {
        if (term.kind == TermKind::kIdentifier) {
            ++wanted.identifiers[std::string(term.text)];
            return;
        }
        ++wanted.words[std::string(term.text)];
        for (const std::string_view gram : grams_of(term.text)) ++wanted.grams[std::string(gram)];
    });
    return wanted;
}

// How often each row of one space has one term, and what the rows have gathered.
class SpaceScores {
  public:
    explicit SpaceScores(const WordSnapshot& snapshot) : snapshot_(snapshot) {
        for (const WordSnapshot::Part& part : snapshot.parts) {
            counts_.emplace_back(part.part->rows());
            scores_.emplace_back(part.part->rows());
        }
        touched_.resize(snapshot.parts.size());
        mean_ = snapshot.rows > 0 ? double(snapshot.words) / double(snapshot.rows) : 0;
    }

    // Rows with a term of `kind` count it.
    void count(TermKind kind, std::string_view text) {
        for (size_t p = 0; p < snapshot_.parts.size(); ++p)
            if (const auto term = snapshot_.parts[p].part->find(kind, text)) count(p, *term, 1);
    }
    void count_gram(std::string_view gram) {
        for (size_t p = 0; p < snapshot_.parts.size(); ++p)
            for (const WordPart::Holder& holder : snapshot_.parts[p].part->holders(gram))
                count(p, holder.term, holder.places);
    }
    // Turns the counts into scores, and forgets them.
    void add_bm25(uint32_t in_question) {
        const double n = double(rows_counted()), all = double(snapshot_.rows);
        const double idf = std::log(1 + (all - n + 0.5) / (n + 0.5)) * in_question;
        for_counted([&](size_t p, uint32_t row) {
            const double tf = counts_[p][row];
            const double length = double(snapshot_.parts[p].part->words(row)) / mean_;
            scores_[p][row] +=
                static_cast<float>(idf * tf * (kK1 + 1) / (tf + kK1 * (1 - kB + kB * length)));
        });
    }
    void add(double weight) {
        for_counted([&](size_t p, uint32_t row) { scores_[p][row] += float(weight); });
    }
    size_t rows_counted() const {
        size_t n = 0;
        for (const auto& rows : touched_) n += rows.size();
        return n;
    }
    void forget_counts() {
        for_counted([](size_t, uint32_t) {});
    }

    struct Candidate {
        float score;
        uint64_t chunk, segment;
    };
    void gather(std::vector<Candidate>& out) const {
        for (size_t p = 0; p < scores_.size(); ++p) {
            const WordPart& part = *snapshot_.parts[p].part;
            for (size_t row = 0; row < scores_[p].size(); ++row)
                if (scores_[p][row] > 0)
                    out.push_back({scores_[p][row], part.chunk(row), part.segment(row)});
        }
    }

  private:
    void count(size_t p, uint32_t term, uint32_t times) {
        const WordSnapshot::Part& part = snapshot_.parts[p];
        part.part->for_each_row(term, [&](uint32_t row, uint32_t n) {
            if (!part.lives[row]) return;
            if (counts_[p][row] == 0) touched_[p].push_back(row);
            counts_[p][row] += n * times;
        });
    }
    template <typename F>
    void for_counted(F f) {
        for (size_t p = 0; p < touched_.size(); ++p) {
            for (const uint32_t row : touched_[p]) {
                f(p, row);
                counts_[p][row] = 0;
            }
            touched_[p].clear();
        }
    }

    const WordSnapshot& snapshot_;
    std::vector<std::vector<uint32_t>> counts_;   // [parts, rows]
    std::vector<std::vector<float>> scores_;      // likewise
    std::vector<std::vector<uint32_t>> touched_;  // rows that count something
    double mean_ = 0;                             // words of a row
};

// A name is a word by itself or several.
template <typename F>
void for_each_name(const Wanted& wanted, F f) {
    for (const auto& [text, n] : wanted.words) f(text, n);
    for (const auto& [text, n] : wanted.identifiers) f(text, n);
}

void score(SpaceScores& scores, const Wanted& wanted, WordLeg leg, uint64_t rows,
           const CallControl& control) {
    if (leg == WordLeg::kGrams) {
        for (const auto& [gram, n] : wanted.grams) {
            control.check();
            scores.count_gram(gram);
            scores.add_bm25(n);
        }
        return;
    }
    for_each_name(wanted, [&](const std::string& text, uint32_t n) {
        control.check();
        // what one writes as a word another writes as an identifier
        scores.count(TermKind::kWord, text);
        scores.count(TermKind::kIdentifier, text);
        if (leg == WordLeg::kWords) {
            scores.add_bm25(n);
            return;
        }
        const double weight = std::log(1 + double(rows) / (1 + double(scores.rows_counted())));
        scores.forget_counts();
        scores.count(TermKind::kDefinition, text);
        scores.add(weight);
    });
}

}  // namespace

WordSnapshot::Part living_part(std::shared_ptr<const WordPart> part,
                               const std::set<SegmentVersion>& visible) {
    WordSnapshot::Part out{std::move(part), {}};
    out.lives.resize(out.part->rows());
    for (const WordPart::Segment& segment : out.part->segments()) {
        if (!visible.contains(segment.version)) continue;
        for (uint32_t row = segment.first_row; row < segment.first_row + segment.n_rows; ++row) {
            out.lives[row] = true;
            out.words += out.part->words(row);
            ++out.living;
        }
    }
    return out;
}

void WordSnapshot::add(Part part) {
    rows += part.living;
    words += part.words;
    memory_bytes += part.part->memory_bytes() + part.lives.size() / 8;
    parts.push_back(std::move(part));
}

std::vector<Hit> search_words(std::span<const std::shared_ptr<const WordSnapshot>> snapshots,
                              std::string_view text, WordLeg leg, size_t k,
                              const SearchFilter& filter, RowFilter& documents,
                              const CallControl& control) {
    const Wanted wanted = read_question(text);
    std::vector<SpaceScores::Candidate> candidates;
    for (const auto& snapshot : snapshots) {
        SpaceScores scores(*snapshot);
        score(scores, wanted, leg, snapshot->rows, control);
        scores.gather(candidates);
    }
    const auto worse = [](const auto& a, const auto& b) {
        return a.score != b.score ? a.score < b.score : a.chunk > b.chunk;
    };
    std::ranges::make_heap(candidates, worse);
    std::vector<Hit> hits;
    std::map<uint64_t, uint32_t> taken;  // by document
    while (hits.size() < k && !candidates.empty()) {
        std::ranges::pop_heap(candidates, worse);
        const SpaceScores::Candidate best = candidates.back();
        candidates.pop_back();
        const RowFacts facts{best.chunk, best.segment, 0};
        if (documents.is_excluded(facts)) continue;
        if (filter.max_per_document != 0 &&
            ++taken[documents.document_of(facts)] > filter.max_per_document)
            continue;
        hits.push_back({best.chunk, best.score});
    }
    return hits;
}

}  // namespace rpt::storage
