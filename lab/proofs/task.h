// The synthetic tasks of spec 8.5: documents in which it is known what would help whom.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/model/config.h"

namespace rpt::proofs {

// What the model reads, and what is known about it. Chunks are cut on the inputs.
struct Document {
    std::vector<int32_t> inputs;  // [L + 1]; the first is the beginning of text, the last is
                                  // predicted and never read
    std::vector<uint8_t> value;   // [L]: position p predicts a designated token
    std::vector<uint8_t> first;   // [L]: and that one is the first of its group
    std::vector<int32_t> gold;    // [l]: chunk that tells what follows chunk i; -1: there is none
};

// One kind of document. Sizes of chunk, block and pool are those of the model that reads them.
struct Task {
    std::string name;
    int64_t vocab = 0;
    double chance = 0;  // nats a designated token without any memory
    int64_t steps = 0;  // training steps of a row that were enough; 0: as the tier says
    std::function<Document(const model::ModelConfig& model, int64_t length, uint64_t seed,
                           uint64_t number)>
        make;
};

inline constexpr int64_t kSymbols = 256;  // values, or the symbols of copied text

// S1: an early chunk holds a rare key and eight values after it; much later a chunk names the key
// in every second place, the last among them, and the next one begins with the values.
Task key_lookup();

inline constexpr int64_t kCopiedChunks = 4;  // of a copy of S2, in a row

// S2: a chunk repeats an old chunk of random symbols, and the next one goes on where the old one
// went on.
enum class Continuation {
    kNext,       // the text goes on as in the chunk after the old one
    kElsewhere,  // control: as in the one after that, which no neighbour shows
};
// `offset`: the copy is cut at a random place up to so many tokens before or after the chunk.
Task far_copy(int64_t offset, Continuation continuation);

// S3: a definition holds an alias b_i and eight values; the question holds its partner a_i and the
// words of another definition; the answer is a marker and the eight values. No word of the question
// stands in the definition that it needs. `pairs` at least the number of chunks of a document.
Task alias_lookup(int64_t pairs = 256, int64_t fillers = 512);

// S4: independent draws, nothing to find.
Task no_signal();

// Throws kArgument where chunks have fewer than `least_chunk` tokens or a document more than
// `most_chunks` chunks.
void check_document_size(const char* task, const model::ModelConfig& model, int64_t length,
                         int64_t least_chunk, int64_t most_chunks);

// By the names S1 to S4, "S2-unaligned", "S2-elsewhere". Throws kArgument for another.
Task task_named(const std::string& name);

}  // namespace rpt::proofs
