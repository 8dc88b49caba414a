#include "storage/words/word_part.h"

#include <algorithm>

#include "base/crc32c.h"

namespace rpt::storage {
namespace {

uint32_t hash_of(std::string_view gram) {
    return crc32c(gram.data(), gram.size());
}

std::string key_of(TermKind kind, std::string_view text) {
    std::string key(1, static_cast<char>(kind));
    key += text;
    return key;
}

void put(std::vector<uint8_t>& out, uint32_t value) {
    for (; value >= 128; value >>= 7) out.push_back(static_cast<uint8_t>(value | 128));
    out.push_back(static_cast<uint8_t>(value));
}

}  // namespace

std::optional<uint32_t> WordPart::find(TermKind kind, std::string_view text) const {
    const std::string wanted = key_of(kind, text);
    uint32_t low = 0, high = static_cast<uint32_t>(terms());
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (key(middle) < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < terms() && key(low) == wanted) return low;
    return std::nullopt;
}

std::vector<WordPart::Holder> WordPart::holders(std::string_view gram) const {
    std::vector<Holder> found;
    const uint32_t hash = hash_of(gram);
    for (auto at = std::ranges::lower_bound(grams_, std::pair{hash, uint32_t{0}});
         at != grams_.end() && at->first == hash; ++at) {
        // two grams may have the same hash
        const std::string_view word = key(at->second).substr(1);
        const auto places = static_cast<uint32_t>(std::ranges::count(grams_of(word), gram));
        if (places > 0) found.push_back({at->second, places});
    }
    return found;
}

void WordPart::list_grams() {
    for (uint32_t term = 0; term < terms(); ++term) {
        const std::string_view word = key(term);
        if (word.front() != static_cast<char>(TermKind::kWord)) continue;
        for (const std::string_view gram : grams_of(word.substr(1)))
            grams_.emplace_back(hash_of(gram), term);
    }
    std::ranges::sort(grams_);
    grams_.erase(std::ranges::unique(grams_).begin(), grams_.end());
    grams_.shrink_to_fit();
}

uint64_t WordPart::memory_bytes() const {
    return sizeof(WordPart) + chunks_.capacity() * 8 + words_.capacity() * 4 +
           segment_of_.capacity() * 4 + segments_.capacity() * sizeof(Segment) + terms_.capacity() +
           term_begins_.capacity() * 4 + posting_begins_.capacity() * 8 + postings_.capacity() +
           grams_.capacity() * sizeof(grams_[0]);
}

void WordPartBuilder::open_segment(const SegmentVersion& version, size_t n_rows) {
    const auto number = static_cast<uint32_t>(part_->segments_.size());
    part_->segments_.push_back(
        {version, static_cast<uint32_t>(rows()), static_cast<uint32_t>(n_rows)});
    part_->segment_of_.insert(part_->segment_of_.end(), n_rows, number);
}

void WordPartBuilder::count(std::string_view key, uint32_t row, uint32_t count) {
    std::vector<Posting>& postings = postings_[std::string(key)];
    if (!postings.empty() && postings.back().row == row)
        postings.back().count += count;
    else
        postings.push_back({row, count});
}

void WordPartBuilder::add(const SegmentVersion& version, std::string_view text,
                          std::span<const Chunk> chunks) {
    const auto first_row = static_cast<uint32_t>(rows());
    open_segment(version, chunks.size());
    for (const Chunk& chunk : chunks) part_->chunks_.push_back(chunk.chunk);
    part_->words_.resize(rows(), 0);
    std::string key;
    // Terms ascend by their end, but for an identifier, which follows its parts. So the first chunk
    // that one may touch is looked for.
    const auto touch = [&](const Term& term, auto use) {
        size_t i = static_cast<size_t>(
            std::ranges::partition_point(
                chunks, [&](const Chunk& chunk) { return chunk.bytes.end <= term.begin; }) -
            chunks.begin());
        key.assign(1, static_cast<char>(term.kind));
        key += term.text;
        for (; i < chunks.size() && chunks[i].bytes.begin < term.end; ++i)
            if (!use(first_row + static_cast<uint32_t>(i))) return;
    };
    for_each_word(text, [&](const Term& term) {
        touch(term, [&](uint32_t row) {
            count(key, row, 1);
            if (term.kind == TermKind::kWord) ++part_->words_[row];
            return true;
        });
    });
    for_each_definition(text, [&](const Term& term) {
        touch(term, [&](uint32_t row) {
            count(key, row, 1);
            return false;
        });
    });
}

void WordPartBuilder::add_segments(const WordPart& part, const std::vector<bool>& chosen) {
    constexpr uint32_t kGone = ~uint32_t{0};
    std::vector<uint32_t> now(part.rows(), kGone);
    for (size_t i = 0; i < chosen.size(); ++i) {
        const WordPart::Segment& segment = part.segments()[i];
        if (!chosen[i]) continue;
        open_segment(segment.version, segment.n_rows);
        for (uint32_t row = segment.first_row; row < segment.first_row + segment.n_rows; ++row) {
            now[row] = static_cast<uint32_t>(rows());
            part_->chunks_.push_back(part.chunk(row));
            part_->words_.push_back(part.words(row));
        }
    }
    for (uint32_t term = 0; term < part.terms(); ++term)
        part.for_each_row(term, [&](uint32_t row, uint32_t n) {
            if (now[row] != kGone) count(part.key(term), now[row], n);
        });
}

std::shared_ptr<const WordPart> WordPartBuilder::finish() {
    std::vector<const std::pair<const std::string, std::vector<Posting>>*> sorted;
    sorted.reserve(postings_.size());
    for (const auto& entry : postings_) sorted.push_back(&entry);
    std::ranges::sort(sorted, {},
                      [](const auto* entry) -> const std::string& { return entry->first; });
    WordPart& part = *part_;
    for (const auto* entry : sorted) {
        part.terms_ += entry->first;
        part.term_begins_.push_back(static_cast<uint32_t>(part.terms_.size()));
        uint32_t before = 0;
        for (const Posting& posting : entry->second) {
            put(part.postings_, (posting.row - before) << 1 | (posting.count > 1 ? 1 : 0));
            if (posting.count > 1) put(part.postings_, posting.count);
            before = posting.row;
        }
        part.posting_begins_.push_back(part.postings_.size());
    }
    postings_.clear();
    part.terms_.shrink_to_fit();
    part.postings_.shrink_to_fit();
    part.list_grams();
    return std::move(part_);
}

}  // namespace rpt::storage
