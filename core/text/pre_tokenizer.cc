#include "core/text/pre_tokenizer.h"

#include "base/error.h"
#include "core/text/cl100k_pieces.h"
#include "core/text/gpt2_pieces.h"

namespace rpt::text {
namespace {

constexpr Gpt2Pieces kGpt2Pieces(false), kSmolLmPieces(true);
constexpr Cl100kPieces kLlama3Pieces(3), kQwen2Pieces(1);

}  // namespace

const PreTokenizer& pre_tokenizer(PieceRule rule) {
    switch (rule) {
        case PieceRule::kGpt2:
            return kGpt2Pieces;
        case PieceRule::kSmolLm:
            return kSmolLmPieces;
        case PieceRule::kLlama3:
            return kLlama3Pieces;
        case PieceRule::kQwen2:
            return kQwen2Pieces;
    }
    RPT_CHECK(false);
}

}  // namespace rpt::text
