#include "core/text/bpe_trainer.h"

#include <algorithm>
#include <queue>
#include <set>

#include "base/error.h"
#include "core/text/byte_alphabet.h"
#include "core/text/pre_tokenizer.h"
#include "core/text/tokenizer_impl.h"

namespace rpt::text {

namespace {

constexpr size_t kLongestPiece = 1024;  // bytes

using Pair = std::pair<int32_t, int32_t>;

// The words of the corpus as token ids, with the counts of neighbouring pairs kept up to date merge
// by merge.
class Merger {
  public:
    Merger(const std::vector<std::pair<std::string_view, uint64_t>>& words,
           const std::array<int32_t, 256>& byte_ids) {
        for (const auto& [text, count] : words) {
            words_.push_back({symbols_.size(), uint32_t(text.size()), count});
            for (char byte : text) symbols_.push_back(byte_ids[uint8_t(byte)]);
        }
        for (uint32_t w = 0; w < words_.size(); ++w) {
            const int32_t* ids = symbols_.data() + words_[w].begin;
            for (uint32_t i = 0; i + 1 < words_[w].size; ++i) change({ids[i], ids[i + 1]}, w, true);
        }
        raised_.clear();
        for (size_t p = 0; p < pairs_.size(); ++p) queue_.push({pairs_[p].count, pairs_[p].pair});
    }

    struct Best {
        uint64_t count = 0;  // 0: no pair is left
        Pair pair;
    };
    Best best() {
        while (!queue_.empty()) {
            const Queued top = queue_.top();
            queue_.pop();
            const uint64_t count = pairs_[places_.at(key(top.pair))].count;
            if (count == top.count) {
                if (count == 0) continue;
                return {count, top.pair};
            }
            // lazily: counts fall without notice, so an entry is put back with what is true now
            if (count < top.count && count > 0) queue_.push({count, top.pair});
        }
        return {};
    }

    void drop(Pair pair) { pairs_[places_.at(key(pair))].count = 0; }

    void merge(Pair pair, int32_t result) {
        const size_t place = places_.at(key(pair));
        const std::vector<uint32_t> words = std::move(pairs_[place].words);
        pairs_[place].words.clear();
        raised_.clear();
        for (uint32_t w : words) merge_word(w, pair, result);
        pairs_[place].count = 0;
        std::sort(raised_.begin(), raised_.end());
        raised_.erase(std::unique(raised_.begin(), raised_.end()), raised_.end());
        for (size_t p : raised_)
            if (pairs_[p].count > 0) queue_.push({pairs_[p].count, pairs_[p].pair});
    }

  private:
    struct Word {
        size_t begin;
        uint32_t size;
        uint64_t count;
    };
    struct PairState {
        Pair pair;
        uint64_t count = 0;
        std::vector<uint32_t> words;  // those that have or had the pair
    };
    struct Queued {
        uint64_t count;
        Pair pair;
        bool operator<(const Queued& other) const {
            return count != other.count ? count < other.count : pair > other.pair;
        }
    };

    static uint64_t key(Pair pair) {
        return uint64_t(uint32_t(pair.first)) << 32 | uint32_t(pair.second);
    }

    void change(Pair pair, uint32_t w, bool more) {
        const auto [entry, fresh] = places_.try_emplace(key(pair), pairs_.size());
        if (fresh) pairs_.push_back({pair, 0, {}});
        PairState& state = pairs_[entry->second];
        if (!more) {
            state.count -= words_[w].count;
            return;
        }
        state.count += words_[w].count;
        if (state.words.empty() || state.words.back() != w) state.words.push_back(w);
        raised_.push_back(entry->second);
    }

    void merge_word(uint32_t w, Pair pair, int32_t result) {
        int32_t* ids = symbols_.data() + words_[w].begin;
        const uint32_t n = words_[w].size;
        uint32_t out = 0;
        for (uint32_t i = 0; i < n;) {
            if (i + 1 == n || ids[i] != pair.first || ids[i + 1] != pair.second) {
                ids[out++] = ids[i++];
                continue;
            }
            const bool has_left = out > 0, has_right = i + 2 < n;
            if (has_left) {
                change({ids[out - 1], pair.first}, w, false);
                change({ids[out - 1], result}, w, true);
            }
            if (has_right) {
                change({pair.second, ids[i + 2]}, w, false);
                change({result, ids[i + 2]}, w, true);
            }
            ids[out++] = result;
            i += 2;
        }
        words_[w].size = out;
    }

    std::vector<int32_t> symbols_;
    std::vector<Word> words_;
    std::vector<PairState> pairs_;
    std::unordered_map<uint64_t, size_t> places_;  // pair to its place in pairs_
    std::vector<size_t> raised_;                   // pairs whose count grew in this merge
    std::priority_queue<Queued> queue_;
};

}  // namespace

size_t BpeTrainer::Hash::operator()(std::string_view text) const {
    return hash_bytes(text.data(), text.size());
}

std::vector<std::string> BpeTrainer::default_special_tokens() {
    return {"<|bos|>", "<|eos|>", "<|pad|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"};
}

void BpeTrainer::add(std::string_view document) {
    const PreTokenizer& pieces = pre_tokenizer(PieceRule::kGpt2);
    PieceScan scan;
    for (size_t begin = 0; begin < document.size();) {
        const size_t end = *pieces.next(scan, document, begin, true);
        const std::string_view piece = document.substr(begin, end - begin);
        begin = end;
        if (piece.size() > kLongestPiece) continue;
        ++n_pieces_;
        const auto found = counts_.find(piece);
        if (found != counts_.end())
            ++found->second;
        else
            counts_.emplace(piece, 1);
    }
}

std::shared_ptr<const Tokenizer> BpeTrainer::train(
    int32_t vocab_size, uint64_t min_frequency,
    const std::vector<std::string>& special_tokens) const {
    const std::set<std::string> reserved(special_tokens.begin(), special_tokens.end());
    if (reserved.size() != special_tokens.size() || reserved.contains(""))
        throw Error(Status::kArgument, "rpt", "tokenizer: a special name is empty or comes twice");
    if (vocab_size < 0 || size_t(vocab_size) < special_tokens.size() + 256)
        throw Error(Status::kArgument, "rpt",
                    "tokenizer: a vocabulary of " + std::to_string(vocab_size) +
                        " has no room for 256 bytes and " + std::to_string(special_tokens.size()) +
                        " special tokens");
    Vocabulary vocabulary;
    vocabulary.tokens = special_tokens;
    for (size_t id = 0; id < special_tokens.size(); ++id) vocabulary.special.push_back(int32_t(id));
    std::array<int32_t, 256> byte_ids{};
    std::unordered_map<std::string, int32_t> ids;
    const auto make = [&](const std::string& bytes) {
        const int32_t id = int32_t(vocabulary.tokens.size());
        vocabulary.tokens.push_back(bytes);
        ids.emplace(bytes, id);
        return id;
    };
    for (uint8_t byte : bytes_in_character_order())
        byte_ids[byte] = make(std::string(1, char(byte)));

    // sorted, so that no hash table's order shows in the result
    std::vector<std::pair<std::string_view, uint64_t>> words(counts_.begin(), counts_.end());
    std::sort(words.begin(), words.end());
    Merger merger(words, byte_ids);
    while (vocabulary.tokens.size() < size_t(vocab_size)) {
        const Merger::Best best = merger.best();
        if (best.count == 0 || best.count < min_frequency) break;
        const auto [left, right] = best.pair;
        const std::string joined =
            vocabulary.tokens[size_t(left)] + vocabulary.tokens[size_t(right)];
        if (reserved.contains(
                spell_bytes(joined))) {  // a text that spells a special name stays in parts
            merger.drop(best.pair);
            continue;
        }
        const auto known =
            ids.find(joined);  // the same bytes by another way: one token, two merges
        const int32_t id = known != ids.end() ? known->second : make(joined);
        vocabulary.merges.push_back(best.pair);
        merger.merge(best.pair, id);
    }
    return Tokenizer::from_vocabulary(std::move(vocabulary));
}

}  // namespace rpt::text
