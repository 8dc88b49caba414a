// What a trained model makes of new documents when its chunks read neighbours of several kinds.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "lab/network/rpt_model.h"
#include "lab/proofs/task.h"
#include "lab/train/train_config.h"

namespace rpt::proofs {

enum class Reading {
    kOwn,     // what the model's retriever finds; BM25 of the chunk where neighbours are given
    kOracle,  // the known gold chunk first
    kRandom,  // drawn from the pool
    kNone,
};
inline constexpr std::array kReadings = {Reading::kOwn, Reading::kOracle, Reading::kRandom,
                                         Reading::kNone};
const char* reading_name(Reading reading);

struct Loss {
    double value = 0;  // nats a designated token
    double first = 0;  // of these, the first of each group
    double all = 0;    // nats a token
    double shown = 0;  // share of questions whose gold chunk stood in what was read, be it as the
                       // successor of a chunk that was found
};

struct Measured {
    std::map<Reading, Loss> loss;  // a model without neighbours has kNone alone
    // Share of questions whose gold chunk is among the first two.
    double own_recall = -1;       // of the model's retriever; -1: it has none
    double bm25_recall = -1;      // of BM25 of the chunk; -1: no document asks anything
    double answered_recall = -1;  // of BM25 of the chunk and the next, which supervision may ask
    double gate_mean = -1;        // reading own neighbours; -1: there is none
    double null_mass = -1;
    int64_t questions = 0;
    int64_t values = 0;

    // As the model is used: with its own neighbours, or without any where it reads none.
    const Loss& in_use() const {
        const auto own = loss.find(Reading::kOwn);
        return own != loss.end() ? own->second : loss.at(Reading::kNone);
    }
};

// `documents` new ones of `length` tokens; `k` neighbours a chunk, 0: the model's own number.
Measured measure(const Task& task, const model::RptModel& model, int64_t documents, int64_t length,
                 uint64_t seed, int64_t k = 0);

}  // namespace rpt::proofs
