#include "lab/train/batch_pipeline.h"

#include <utility>

namespace rpt::train {
namespace {

constexpr size_t kBatchesAhead = 3;

}  // namespace

BatchPipeline::BatchPipeline(const TrainConfig& config, const ShardVocabulary& vocabulary,
                             SampleSource source, int64_t first_step,
                             std::shared_ptr<const TargetCache> targets)
    : config_(config),
      vocabulary_(vocabulary),
      targets_(std::move(targets)),
      source_(std::move(source)),
      step_(first_step) {
    source_.skip(static_cast<uint64_t>(first_step * config.train.batch_documents));
    thread_ = std::thread([this] { run(); });
}

BatchPipeline::~BatchPipeline() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

Batch BatchPipeline::make(int64_t step) {
    Batch batch;
    batch.step = step;
    for (int64_t slot = 0; slot < config_.train.batch_documents; ++slot) {
        const Piece piece = source_.next();
        const std::vector<int32_t> text = source_.read(piece);
        batch.samples.push_back(make_sample(config_, vocabulary_, text, step, slot, targets_.get(),
                                            source_.document_id(piece)));
        batch.n_targets += batch.samples.back().n_tokens;
        batch.pairs += batch.samples.back().pairs;
    }
    return batch;
}

void BatchPipeline::run() {
    try {
        for (;;) {
            Batch batch = make(step_++);
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return stop_ || ready_.size() < kBatchesAhead; });
            if (stop_) return;
            ready_.push_back(std::move(batch));
            changed_.notify_all();
        }
    } catch (...) {
        const std::lock_guard lock(mutex_);
        failure_ = std::current_exception();
        changed_.notify_all();
    }
}

Batch BatchPipeline::next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return failure_ || !ready_.empty(); });
    if (ready_.empty()) std::rethrow_exception(failure_);
    Batch batch = std::move(ready_.front());
    ready_.pop_front();
    changed_.notify_all();
    return batch;
}

}  // namespace rpt::train
