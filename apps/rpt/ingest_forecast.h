// How long reading will take, said before it begins.
#pragma once

#include <cstdint>

#include "apps/rpt/settings.h"
#include "apps/rpt/workplace.h"

namespace rpt::cli {

// A text of `bytes` has about so many tokens: prose has fewer, code more.
uint64_t tokens_of_bytes(uint64_t bytes);

// A remark if reading so many tokens into a memory with the open model takes more than a minute on
// this machine; `what` names the text, such as "3.2 MiB". Measures the machine, for about a second,
// only where that may be so. The same model on the same machine at half its speed may take twice as
// long: it is a forecast.
void forecast_reading(const Settings& settings, Workplace& place, const std::string& what,
                      uint64_t tokens);

// Seconds for `tokens` where one takes `flops_per_token` and the machine does `flops` in plain
// products: of these a reader reaches six tenths.
double reading_seconds(uint64_t tokens, double flops_per_token, double flops);

}  // namespace rpt::cli
