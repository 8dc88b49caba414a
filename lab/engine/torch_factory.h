// Opens packages with LibTorch, on CPU or CUDA.
#pragma once

#include "core/engine/engine_factory.h"

namespace rpt::engine {

// Threads of one model call, for the whole process. 0: physical cores.
void set_torch_threads(int threads);
int torch_threads();

class TorchFactory final : public EngineFactory {
  public:
    std::string_view name() const override { return "libtorch"; }
    std::string refusal(const model::ModelConfig& config,
                        const EngineOptions& options) const override;
    std::shared_ptr<const Engine> open(const weights::Package& package,
                                       const EngineOptions& options) const override;
    void set_compute_threads(int threads) const override { set_torch_threads(threads); }
    MachineRates measure_machine(const model::ModelConfig& config) const override;
};

// Opens a package with LibTorch, whatever else is linked. Throws as open_engine() does.
std::shared_ptr<const Engine> open_torch_engine(const std::string& path,
                                                const EngineOptions& options = {});

// Drops keys and values of neighbours that a LibTorch engine keeps (lab/engine/upper_memo.h), so
// that what is measured next pays for its own.
void forget_neighbours(const Engine& engine);

// What of the model only the trainer and the evaluation compute, in words; empty: nothing.
std::string unread_part(const model::ModelConfig& config);

}  // namespace rpt::engine
