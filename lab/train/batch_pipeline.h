// Prepares the next batches on a thread of its own while the current step runs.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "lab/train/batch.h"
#include "lab/train/sample_source.h"

namespace rpt::train {

// next() is called by one thread. The order of batches does not depend on timing.
class BatchPipeline {
  public:
    // Batches from `first_step` on, without end. `source` stands at its beginning and is moved to
    // the step here. `targets` may be empty unless the config asks for lm_scores.
    BatchPipeline(const TrainConfig& config, const ShardVocabulary& vocabulary, SampleSource source,
                  int64_t first_step, std::shared_ptr<const TargetCache> targets = nullptr);
    ~BatchPipeline();
    BatchPipeline(const BatchPipeline&) = delete;
    BatchPipeline& operator=(const BatchPipeline&) = delete;

    // Waits for the next batch; throws what its preparation threw.
    Batch next();

  private:
    void run();
    Batch make(int64_t step);

    const TrainConfig config_;
    const ShardVocabulary vocabulary_;
    const std::shared_ptr<const TargetCache> targets_;
    SampleSource source_;  // the thread's alone
    int64_t step_;         // the thread's alone

    std::mutex mutex_;  // guards all below
    std::condition_variable changed_;
    std::deque<Batch> ready_;
    std::exception_ptr failure_;
    bool stop_ = false;
    std::thread thread_;  // last: starts when all above exists
};

}  // namespace rpt::train
