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

class Sums {
  public:
    explicit Sums(DocumentTrial& trial) : trial_(trial) {}
    void add(Way way, const at::Tensor& nll) {
        const double sum = nll.sum().item<double>();
        for (auto& [known, nats] : trial_.nats)
            if (known == way) {
                nats += sum;
                return;
            }
        trial_.nats.emplace_back(way, sum);
    }

  private:
    DocumentTrial& trial_;
};

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
    const at::NoGradGuard guard;
    std::vector<MappedDocument> rows;
    for (const DocumentCache& document : documents) {
        rows.emplace_back(own, document);
        rows.back().stored_keys = stored(rows.back().keys);
    }
    std::vector<DocumentTrial> out;
    const int64_t stride = options.stride;
    for (size_t d = 0; d < documents.size(); ++d) {
        const DocumentCache& document = documents[d];
        DocumentTrial trial;
        trial.corpus = document.corpus;
        trial.id = document.id;
        Sums sums(trial);
        const int64_t half = document.size() / 2 / stride;  // in blocks
        const int64_t first =
            options.halves ? half + 2
                           : std::max<int64_t>(2, (options.first_token + stride - 1) / stride);
        for (int64_t block = first; block < blocks_of(document, stride); ++block) {
            const CopyQueries queries = rows[d].queries_of_block(block, stride);
            trial.tokens += queries.nll.size(0);
            sums.add(Way::kNone, queries.nll);
            if (options.halves) {
                const FarTokens before = rows[d].stored_part(0, half * stride),
                                past = rows[d].part(half * stride, (block - 1) * stride);
                const CopyQueries with_before = after(spaces, queries, before);
                sums.add(Way::kFirstPart, with_before.nll);
                sums.add(Way::kPastOfSecond,
                         past.next.size(0) == 0 ? queries.nll : mixture_nll(own, queries, past));
                sums.add(Way::kFirstAndPast, past.next.size(0) == 0
                                                 ? with_before.nll
                                                 : mixture_nll(own, with_before, past));
                continue;
            }
            const FarTokens far = rows[d].far_of_block(block, stride);
            sums.add(Way::kOwn, mixture_nll(own, queries, far));
            sums.add(Way::kOwnFourBits,
                     mixture_nll(own, queries, rows[d].stored_part(0, (block - 1) * stride)));
            sums.add(Way::kMixedUp,
                     mixture_nll(own, queries, mixed_up(far, static_cast<uint64_t>(block))));
            if (documents.size() > 1) {
                const MappedDocument& next = rows[(d + 1) % rows.size()];
                const CopyQueries beside =
                    after(spaces, queries, next.stored_part(0, next.document->size() - 1));
                sums.add(Way::kOther, beside.nll);
                sums.add(Way::kOwnAndOther, mixture_nll(own, beside, far));
            }
            if (!wide.empty())
                sums.add(Way::kWide, wide[d].nll.narrow(0, block * stride, queries.nll.size(0)));
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
