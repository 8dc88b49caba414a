// Logits to a token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/reader/random_source.h"
#include "core/reader/session.h"
#include "core/text/tokenizer.h"

namespace rpt::reader {

// One thread at a time.
class Sampler {
  public:
    // kArgument for a temperature, penalty or top_p out of range.
    Sampler(const GenerateOptions& options, const text::Tokenizer& tokenizer,
            int32_t end_of_turn = -1);

    // `logits` [vocab] is worked on in place. `recent`: the tokens that the repeat penalty looks
    // at, the last repeat_window of them. Order: penalty, temperature, top-k, top-p. Special tokens
    // other than the end of text and `end_of_turn`, and ids beyond the tokenizer, never come out.
    // Ties go to the lower id.
    int32_t sample(std::span<float> logits, std::span<const int32_t> recent);

  private:
    struct Candidate {
        int32_t id;
        float logit;
    };
    void penalise(std::span<float> logits, std::span<const int32_t> recent) const;

    float temperature_, top_p_, repeat_penalty_;
    uint32_t top_k_, repeat_window_;
    RandomSource random_;
    std::vector<uint8_t> allowed_;  // [tokenizer's vocabulary]
    std::vector<Candidate> candidates_;
    std::vector<double> weights_;
};

}  // namespace rpt::reader
