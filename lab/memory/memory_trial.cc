#include "lab/memory/memory_trial.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <random>

#include "base/error.h"
#include "storage/codec/pointer_codec.h"

namespace rpt::memory {
namespace {

// Every place keeps its key and gets the follower of another.
FarTokens mixed_up(const FarTokens& far, uint64_t seed) {
    const int64_t n = far.next.size(0);
    std::vector<int64_t> order(static_cast<size_t>(n));
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
    std::mt19937_64 random(seed);
    std::shuffle(order.begin(), order.end(), random);
    const at::Tensor index = at::empty({n}, at::kLong);
    std::copy(order.begin(), order.end(), index.mutable_data_ptr<int64_t>());
    return {far.rows, far.next.index_select(0, index)};
}

// Keys as they come back from a store.
at::Tensor stored(const at::Tensor& keys) {
    const at::Tensor in = keys.contiguous();
    const auto width = static_cast<uint32_t>(in.size(1));
    const std::span<const float> numbers(in.const_data_ptr<float>(),
                                         static_cast<size_t>(in.numel()));
    const std::vector<float> back = storage::plain::decode_pointers(
        storage::encode_pointers(numbers, width), static_cast<size_t>(in.size(0)), width);
    const at::Tensor out = at::empty_like(in);
    std::copy(back.begin(), back.end(), out.mutable_data_ptr<float>());
    return out;
}

// The queries when a space was read already: its prediction takes the model's place, whose entropy
// stays.
CopyQueries after(const CopyParameters& spaces, const CopyQueries& queries, const FarTokens& far) {
    return {queries.rows, queries.next, mixture_nll(spaces, queries, far), queries.entropy};
}

double sum_of(const at::Tensor& nll) {
    return nll.sum().item<double>();
}

// One block of a document, and the sums that it adds to.
struct BlockTrial {
    const CopyParameters& own;
    const CopyParameters& spaces;
    const MappedDocument& rows;
    int64_t block;
    CopyQueries queries;
    DocumentTrial& sums;

    int64_t end() const { return far_end(*rows.document, block); }
    void add(Way way, const at::Tensor& nll) const {
        for (auto& [known, nats] : sums.nats)
            if (known == way) {
                nats += sum_of(nll);
                return;
            }
        sums.nats.emplace_back(way, sum_of(nll));
    }
    at::Tensor copied_from(const FarTokens& past, const CopyQueries& from) const {
        return past.next.size(0) == 0 ? from.nll : mixture_nll(own, from, past);
    }
};

void try_reaches(const BlockTrial& at, const std::vector<int64_t>& reaches) {
    at.sums.reaches.resize(reaches.size());
    for (size_t i = 0; i < reaches.size(); ++i) {
        const int64_t begin = std::max<int64_t>(0, at.end() - reaches[i]);
        at.sums.reaches[i].first = reaches[i];
        at.sums.reaches[i].second +=
            sum_of(mixture_nll(at.own, at.queries, at.rows.part(begin, at.end())));
    }
}

// The first `half` tokens stand in a space.
void try_halves(const BlockTrial& at, int64_t half) {
    const FarTokens past = at.rows.part(half, at.end());
    const CopyQueries with_before = after(at.spaces, at.queries, at.rows.stored_part(0, half));
    at.add(Way::kFirstPart, with_before.nll);
    at.add(Way::kPastOfSecond, at.copied_from(past, at.queries));
    at.add(Way::kFirstAndPast, at.copied_from(past, with_before));
}

void try_past(const BlockTrial& at) {
    const FarTokens far = at.rows.part(0, at.end());
    at.add(Way::kOwn, mixture_nll(at.own, at.queries, far));
    at.add(Way::kOwnFourBits, mixture_nll(at.own, at.queries, at.rows.stored_part(0, at.end())));
    at.add(Way::kMixedUp,
           mixture_nll(at.own, at.queries, mixed_up(far, static_cast<uint64_t>(at.block))));
}

void try_other(const BlockTrial& at, const MappedDocument& other) {
    const FarTokens places = other.stored_part(0, other.document->size() - 1);
    const CopyQueries beside = after(at.spaces, at.queries, places);
    at.add(Way::kOther, beside.nll);
    at.add(Way::kOwnAndOther, mixture_nll(at.own, beside, at.rows.part(0, at.end())));
}

}  // namespace

const char* name_of(Way way) {
    switch (way) {
        case Way::kNone:
            return "no memory";
        case Way::kOwn:
            return "own past";
        case Way::kOwnFourBits:
            return "own past, keys in four bits";
        case Way::kMixedUp:
            return "own past, followers mixed up";
        case Way::kOther:
            return "another document in a space";
        case Way::kOwnAndOther:
            return "own past and that space";
        case Way::kWide:
            return "no memory, longer window";
        case Way::kFirstPart:
            return "first half in a space";
        case Way::kPastOfSecond:
            return "own past of the second half";
        case Way::kFirstAndPast:
            return "both";
    }
    RPT_CHECK(false);
    return "";
}

double DocumentTrial::of(Way way) const {
    for (const auto& [known, sum] : nats)
        if (known == way) return sum;
    RPT_CHECK(false);
    return 0;
}

std::vector<DocumentTrial> try_memory(const CopyParameters& own, const CopyParameters& spaces,
                                      const std::vector<DocumentCache>& documents,
                                      const std::vector<DocumentCache>& wide,
                                      const TrialOptions& options) {
    RPT_CHECK(wide.empty() || wide.size() == documents.size());
    RPT_CHECK(options.reaches.empty() || !options.halves);
    const at::NoGradGuard guard;
    std::vector<MappedDocument> rows;
    for (const DocumentCache& document : documents) {
        rows.emplace_back(own, document);
        rows.back().stored_keys = stored(rows.back().keys);
    }
    std::vector<DocumentTrial> out;
    for (size_t d = 0; d < documents.size(); ++d) {
        const DocumentCache& document = documents[d];
        const int64_t stride = document.stride;
        DocumentTrial trial;
        trial.corpus = document.corpus;
        trial.id = document.id;
        const int64_t half = document.size() / 2 / stride;  // in blocks
        const int64_t first =
            options.halves ? half + 2
                           : std::max<int64_t>(2, (options.first_token + stride - 1) / stride);
        for (int64_t block = first; block < blocks_of(document); ++block) {
            const BlockTrial at{own,  spaces, rows[d], block, rows[d].queries_of_block(block),
                                trial};
            const int64_t count = at.queries.nll.size(0);
            trial.tokens += count;
            at.add(Way::kNone, at.queries.nll);
            if (!options.reaches.empty()) {
                try_reaches(at, options.reaches);
            } else if (options.halves) {
                try_halves(at, half * stride);
            } else {
                try_past(at);
                if (rows.size() > 1) try_other(at, rows[(d + 1) % rows.size()]);
                if (!wide.empty()) at.add(Way::kWide, wide[d].nll.narrow(0, block * stride, count));
            }
        }
        if (trial.tokens > 0) out.push_back(std::move(trial));
    }
    if (out.empty())
        throw Error(Status::kArgument, "rpt",
                    "memory eval: no document has a token that counts; give --tokens a larger "
                    "number, or --first-token a smaller one");
    return out;
}

}  // namespace rpt::memory
