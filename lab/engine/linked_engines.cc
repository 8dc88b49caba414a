// The engines of every program that links this room: LibTorch's, today the only one.
#include <array>

#include "lab/engine/torch_factory.h"

namespace rpt::engine {

std::span<const EngineFactory* const> linked_engines() {
    static const TorchFactory torch;
    static constexpr std::array<const EngineFactory*, 1> kAll = {&torch};
    return kAll;
}

}  // namespace rpt::engine
