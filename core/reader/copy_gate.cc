#include "core/reader/copy_gate.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"

namespace rpt::reader {
namespace {

constexpr double kMostTemperature = 40;  // exp(-2 T) is a normal fp32 number
constexpr double kUntrainedBias = -4.6, kUntrainedSlope = 5.5;

double sigmoid(double x) {
    return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

[[noreturn]] void fail(const std::string& what) {
    throw Error(Status::kArgument, "rpt", "memory.copy: " + what + "; fit the memory file again");
}

}  // namespace

CopyNumbers CopyNumbers::read(std::span<const float> numbers) {
    if (numbers.size() != kCount)
        fail("it has " + std::to_string(numbers.size()) + " numbers a source, not " +
             std::to_string(kCount));
    if (!std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); }))
        fail("a number is not finite");
    CopyNumbers out;
    out.fitted = true;
    out.temperature = double(numbers[0]);
    out.threshold = double(numbers[1]);
    out.bias = double(numbers[2]);
    for (size_t k = 0; k < kInputs; ++k) {
        out.weight[k] = double(numbers[3 + k]);
        out.shift[k] = double(numbers[3 + kInputs + k]);
        out.scale[k] = double(numbers[3 + 2 * kInputs + k]);
        if (out.scale[k] <= 0) fail("a scale is not above 0");
    }
    if (!(out.temperature > 0 && out.temperature <= kMostTemperature))
        fail("its temperature is not above 0 and at most " + std::to_string(int(kMostTemperature)));
    return out;
}

CopySettings CopySettings::read(std::span<const float> numbers) {
    CopySettings out;
    if (numbers.empty()) return out;
    if (numbers.size() != 2 * CopyNumbers::kCount)
        fail("it has " + std::to_string(numbers.size()) + " numbers, not " +
             std::to_string(2 * CopyNumbers::kCount));
    out.own = CopyNumbers::read(numbers.first(CopyNumbers::kCount));
    out.spaces = CopyNumbers::read(numbers.last(CopyNumbers::kCount));
    return out;
}

double copy_share(const CopyNumbers& numbers, const CopyEvidence& evidence, double model_entropy) {
    if (evidence.places == 0) return 0;
    if (!numbers.fitted) return sigmoid(kUntrainedBias + kUntrainedSlope * evidence.best_cosine);
    const double mass = std::clamp(evidence.best_mass, 1e-6, 1 - 1e-6);
    const std::array<double, CopyNumbers::kInputs> inputs{
        std::log(mass / (1 - mass)), evidence.entropy,
        evidence.log_sum - std::log(double(evidence.places)), model_entropy,
        std::log1p(double(evidence.near))};
    double sum = numbers.bias;
    for (size_t k = 0; k < inputs.size(); ++k)
        sum += numbers.weight[k] * (inputs[k] - numbers.shift[k]) / numbers.scale[k];
    return sigmoid(sum);
}

}  // namespace rpt::reader
