// Threads, and the two rates that bound a model on this machine.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "lab/engine/torch_engine.h"
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

double layer_weights(const model::ModelConfig& c) {
    const int64_t attention = (2 * c.n_heads + 2 * c.n_kv_heads) * c.head_dim * c.dim;
    const int64_t ffn = (c.ffn == model::FfnKind::kSwiglu ? 3 : 2) * c.ffn_dim * c.dim;
    return static_cast<double>(attention + ffn);
}

// Keys that a token sees on average: its own block up to itself and the block before.
double mean_window(const model::ModelConfig& c) {
    return 1.5 * static_cast<double>(c.stride);
}

}  // namespace

void set_compute_threads(int threads) {
    if (threads <= 0) {
        const int usable = static_cast<int>(std::thread::hardware_concurrency());
        const int cores = physical_cores();
        threads = std::max(1, cores > 0 ? std::min(cores, usable) : usable);
    }
    at::set_num_threads(threads);
}

int compute_threads() {
    return at::get_num_threads();
}

MachineRates measure_machine(const model::ModelConfig& config) {
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

double lower_flops_per_token(const model::ModelConfig& c) {
    const double width = static_cast<double>(c.n_heads * c.head_dim),
                 d = static_cast<double>(c.dim);
    const double m = static_cast<double>(c.chunk);
    double flops =
        static_cast<double>(c.n_lower) * (2 * layer_weights(c) + 4 * mean_window(c) * width);
    if (c.has_memory()) flops += 2 * 4 * width * d + 4 * m * width;
    if (c.has_retriever()) flops += 2 * 2 * d * d / m;
    return flops;
}

double decode_bytes_per_token(const Engine& engine) {
    const model::ModelConfig& c = engine.config();
    const double width = static_cast<double>(c.n_heads * c.head_dim),
                 d = static_cast<double>(c.dim);
    const double kv = 2 * mean_window(c) * static_cast<double>(c.n_kv_heads * c.head_dim);
    const double memory =
        2 * width * d + 2 * static_cast<double>(c.neighbours * 2 * c.chunk) * width;
    return 4 *
           (static_cast<double>(c.layers()) * (layer_weights(c) + kv) +
            static_cast<double>(c.cca_layers.size()) * memory + static_cast<double>(c.vocab) * d);
}

}  // namespace rpt::engine
