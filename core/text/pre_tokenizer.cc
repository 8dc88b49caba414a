#include "core/text/pre_tokenizer.h"

#include "base/error.h"
#include "core/text/gpt2_pieces.h"

namespace rpt::text {
namespace {

constexpr Gpt2Pieces kGpt2Pieces;

}  // namespace

const PreTokenizer& pre_tokenizer(PieceRule rule) {
    RPT_CHECK(rule == PieceRule::kGpt2);
    return kGpt2Pieces;
}

}  // namespace rpt::text
