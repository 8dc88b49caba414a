// The measurements of `rpt bench`, without their presentation.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "apps/rpt/workplace.h"

namespace rpt::cli {

struct BenchPlan {
    std::string text;    // UTF-8; repeated from shifting offsets until there are enough tokens
    std::string folder;  // empty: the system's place for temporary files
    uint64_t tokens = 1'000'000;     // of the memory at its largest
    uint64_t small_tokens = 10'000;  // searches are measured here too
    uint32_t queries = 200;
    uint32_t decode_tokens = 128;
    uint64_t prompt_bytes = 2048;
};

struct SearchFigures {
    uint64_t tokens = 0, queries = 0;
    double p50_ms = 0, p95_ms = 0;
};

struct BenchResult {
    rpt_machine_rates machine = {};
    uint64_t parameters = 0, weight_bytes = 0;
    uint64_t tokens = 0, disk_bytes = 0, prompt_bytes = 0, decode_tokens = 0;
    double ingest_seconds = 0;
    double decode_rate = 0;     // tokens a second behind the first
    double first_token_ms = 0;  // from an empty session: reading the prompt included
    double open_ms = 0, first_search_ms = 0;
    std::vector<SearchFigures> searches;

    double ingest_rate() const {
        return ingest_seconds > 0 ? static_cast<double>(tokens) / ingest_seconds : 0;
    }
    double ingest_bound() const {
        return machine.lower_flops_per_token > 0
                   ? machine.gemm_flops / machine.lower_flops_per_token
                   : 0;
    }
    double decode_bound() const {
        return machine.decode_bytes_per_token > 0
                   ? machine.read_bytes / machine.decode_bytes_per_token
                   : 0;
    }
    double bytes_per_token() const {
        return static_cast<double>(disk_bytes) / static_cast<double>(std::max<uint64_t>(1, tokens));
    }
};

// The text of `path`, or of the shipped book for "".
std::string bench_text(const std::string& path);
BenchResult run_bench(const Settings& settings, const BenchPlan& plan);

}  // namespace rpt::cli
