#include "apps/rpt/ingest_forecast.h"

#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

constexpr double kWorthTelling = 60;      // seconds
constexpr double kSlowMachine = 10e9;     // operations a second that every machine reaches
constexpr double kShareOfProducts = 0.6;  // what a reader reaches of the machine's products
constexpr uint64_t kBytesOfToken = 4;

}  // namespace

uint64_t tokens_of_bytes(uint64_t bytes) {
    return bytes / kBytesOfToken;
}

double reading_seconds(uint64_t tokens, double flops_per_token, double flops) {
    return static_cast<double>(tokens) * flops_per_token / (kShareOfProducts * flops);
}

void forecast_reading(const Settings& settings, Workplace& place, const std::string& what,
                      uint64_t tokens) {
    if (settings.quiet) return;
    const double most_flops = 2.0 * static_cast<double>(place.model_info().parameters);
    if (reading_seconds(tokens, most_flops, kSlowMachine) < kWorthTelling) return;
    rpt_machine_rates rates = {};
    rates.struct_size = sizeof rates;
    const Call call;
    Error error;
    error.check(rpt_model_measure(place.model.get(), call.get(), &rates, error.out()));
    const double seconds = reading_seconds(tokens, rates.lower_flops_per_token, rates.gemm_flops);
    if (seconds < kWorthTelling) return;
    remark(settings, "reading " + what + " takes about " + format_seconds(seconds) +
                         " with this model on this machine; Ctrl-C keeps what was finished");
}

}  // namespace rpt::cli
