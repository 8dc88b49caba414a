// Threads of LibTorch, and the two rates that bound a model on this machine.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "lab/engine/torch_engine.h"
#include "lab/engine/torch_factory.h"
#include "lab/network/float_products.h"

namespace rpt::engine {
namespace {

// Sets of hardware threads that share a core, as Linux lists them; 0 where it does not.
int physical_cores() {
    std::set<std::string> cores;
    for (unsigned i = 0; i < 4096; ++i) {
        std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(i) +
                           "/topology/thread_siblings_list");
        std::string siblings;
        if (!file || !std::getline(file, siblings)) break;
        cores.insert(siblings);
    }
    return static_cast<int>(cores.size());
}

template <typename F>
double best_seconds(int rounds, F f) {
    double best = 1e9;
    for (int i = 0; i < rounds; ++i) {
        const auto began = std::chrono::steady_clock::now();
        f();
        best = std::min(
            best, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    }
    return best;
}

}  // namespace

void set_torch_threads(int threads) {
    if (threads <= 0) {
        const int usable = static_cast<int>(std::thread::hardware_concurrency());
        const int cores = physical_cores();
        threads = std::max(1, cores > 0 ? std::min(cores, usable) : usable);
    }
    at::set_num_threads(threads);
}

int torch_threads() {
    return at::get_num_threads();
}

MachineRates TorchFactory::measure_machine(const model::ModelConfig& config) const {
    return run_torch([&] {
        model::use_fast_float_products();
        MachineRates rates;
        const at::Tensor a = at::ones({config.stride, config.dim}, at::kFloat);
        const at::Tensor w = at::ones({config.ffn_dim, config.dim}, at::kFloat);
        const double seconds = best_seconds(20, [&] { at::linear(a, w); });
        rates.gemm_flops =
            2.0 * static_cast<double>(a.numel()) * static_cast<double>(config.ffn_dim) / seconds;
        const at::Tensor large =
            at::ones({int64_t{1} << 26}, at::kFloat);  // 256 MiB: past every cache
        rates.read_bytes =
            static_cast<double>(large.nbytes()) / best_seconds(4, [&] { large.sum(); });
        return rates;
    });
}

}  // namespace rpt::engine
