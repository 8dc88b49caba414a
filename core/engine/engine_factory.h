// Which engine runs a model: chosen by the model's configuration, the options and the machine.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "core/engine/engine.h"
#include "core/weights/package.h"

namespace rpt::engine {

enum class Device { kAuto, kCpu, kCuda };
enum class Precision { kModel, kF32, kBf16, kF16 };

struct EngineOptions {
    Device device = Device::kAuto;
    int device_index = 0;
    Precision precision = Precision::kModel;
};

// Rates of this machine that bound a model, measured on the spot.
struct MachineRates {
    double gemm_flops = 0;  // matrix products at the model's own shapes, FLOP/s
    double read_bytes = 0;  // reading memory, bytes/s
};

// One kind of engine. Stateless; any thread.
class EngineFactory {
  public:
    virtual std::string_view name() const = 0;
    // Why it cannot run such a model with these options on this machine; empty if it can.
    virtual std::string refusal(const model::ModelConfig& config,
                                const EngineOptions& options) const = 0;
    // Throws kCorrupt for tensors that do not fit the configuration, kNoMemory, kDevice.
    virtual std::shared_ptr<const Engine> open(const weights::Package& package,
                                               const EngineOptions& options) const = 0;
    // Threads of one model call, for all engines of this kind in the process. 0: physical cores.
    virtual void set_compute_threads(int threads) const = 0;
    virtual MachineRates measure_machine(const model::ModelConfig& config) const = 0;

  protected:
    ~EngineFactory() =
        default;  // lives as long as the process, so nothing destroys it by this type
};

// The kinds that this program was linked with, best first. Whoever links a program defines it: core
// names no engine.
std::span<const EngineFactory* const> linked_engines();

// Opens a model with the first engine that does not refuse it. Throws what weights::open_model()
// and the engine throw; kUnsupported with every refusal if all refuse; kDevice for a device that is
// not there.
std::shared_ptr<const Engine> open_engine(const std::string& path, const EngineOptions& options,
                                          const CallControl& control = {});
// The same of a model that is open; `name` tells errors which.
std::shared_ptr<const Engine> open_engine(const weights::Package& package, const std::string& name,
                                          const EngineOptions& options);
// The engine that would run this model with default options; kUnsupported as above.
const EngineFactory& engine_for(const model::ModelConfig& config,
                                const EngineOptions& options = {});
void set_compute_threads(int threads);

}  // namespace rpt::engine
