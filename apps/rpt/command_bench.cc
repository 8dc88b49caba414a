// rpt bench: what this machine makes of this model, each figure beside the bound the machine sets.
#include <CLI/App.hpp>

#include "apps/rpt/bench_run.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

constexpr uint64_t kQuickTokens = 20'000;

struct Options {
    BenchPlan plan;
    std::string text;
    bool quick = false;
};

std::string rate_row(double rate, double bound, const std::string& what) {
    const std::string share =
        bound > 0 ? ", " + format_fixed(100 * rate / bound, 0) + " % of the " : ", no ";
    return format_fixed(rate, rate < 100 ? 1 : 0) + " tokens/s" + share +
           (bound > 0 ? format_fixed(bound, bound < 100 ? 1 : 0) + " that " + what + " allow"
                      : "bound known");
}

std::string row(const std::string& name, const std::string& value) {
    return name + std::string(name.size() < 22 ? 22 - name.size() : 1, ' ') + value;
}

void print_table(const BenchResult& r) {
    print_line(row("machine",
                   format_fixed(r.machine.gemm_flops / 1e9, 1) + " GFLOP/s in matrix products, " +
                       format_fixed(r.machine.read_bytes / 1e9, 1) + " GB/s from memory"));
    print_line(
        row("model", format_count(r.parameters) + " parameters, " + format_size(r.weight_bytes)));
    print_line(row("ingest", rate_row(r.ingest_rate(), r.ingest_bound(), "matrix products") + " (" +
                                 format_count(r.tokens) + " tokens in " +
                                 format_seconds(r.ingest_seconds) + ")"));
    print_line(row("decode", rate_row(r.decode_rate, r.decode_bound(), "reads of the weights")));
    print_line(row("first token", format_seconds(r.first_token_ms / 1e3) + " after a prompt of " +
                                      format_size(r.prompt_bytes)));
    for (const SearchFigures& search : r.searches) {
        print_line(row("search", "p50 " + format_fixed(search.p50_ms, 2) + " ms, p95 " +
                                     format_fixed(search.p95_ms, 2) + " ms among " +
                                     format_count(search.tokens) +
                                     " tokens, encoding of the query " + "included"));
    }
    print_line(row("open", format_fixed(r.open_ms, 1) + " ms for " + format_count(r.tokens) +
                               " tokens, first search " + format_fixed(r.first_search_ms, 1) +
                               " ms later"));
    print_line(row("disk", format_fixed(r.bytes_per_token(), 1) + " bytes a token, " +
                               format_size(r.disk_bytes) + " in all"));
    flush_output();
}

nlohmann::ordered_json to_json(const BenchResult& r) {
    auto searches = nlohmann::ordered_json::array();
    for (const SearchFigures& search : r.searches) {
        searches.push_back({{"tokens", search.tokens},
                            {"queries", search.queries},
                            {"p50_ms", search.p50_ms},
                            {"p95_ms", search.p95_ms}});
    }
    return {
        {"machine",
         {{"gemm_flops", r.machine.gemm_flops}, {"read_bytes_per_second", r.machine.read_bytes}}},
        {"model", {{"parameters", r.parameters}, {"weight_bytes", r.weight_bytes}}},
        {"ingest",
         {{"tokens", r.tokens},
          {"seconds", r.ingest_seconds},
          {"tokens_per_second", r.ingest_rate()},
          {"bound_tokens_per_second", r.ingest_bound()}}},
        {"decode",
         {{"tokens", r.decode_tokens},
          {"tokens_per_second", r.decode_rate},
          {"bound_tokens_per_second", r.decode_bound()}}},
        {"first_token", {{"prompt_bytes", r.prompt_bytes}, {"ms", r.first_token_ms}}},
        {"search", searches},
        {"open", {{"tokens", r.tokens}, {"ms", r.open_ms}, {"first_search_ms", r.first_search_ms}}},
        {"disk", {{"bytes", r.disk_bytes}, {"bytes_per_token", r.bytes_per_token()}}}};
}

int run(const Settings& settings, Options options) {
    if (options.quick) {
        options.plan.tokens = std::min(options.plan.tokens, kQuickTokens);
        options.plan.queries = 40;
        options.plan.decode_tokens = 48;
    }
    options.plan.text = bench_text(options.text);
    const BenchResult result = run_bench(settings, options.plan);
    if (settings.json) {
        print_json(to_json(result));
    } else {
        print_table(result);
    }
    return kExitDone;
}

}  // namespace

void register_bench(Registry& registry) {
    auto options = std::make_shared<Options>();
    CLI::App* command = add_command(registry, registry.app, "bench",
                                    "Measure reading, continuing and searching on this machine",
                                    "rpt bench --quick");
    add_count_option(*command, "--tokens", options->plan.tokens,
                     "Size of the memory to measure with (default: 1M)");
    command->add_flag("--quick", options->quick,
                      "A small memory and few repetitions: seconds instead of minutes");
    command
        ->add_option("--text", options->text,
                     "Text to read, repeated as needed (default: the shipped book)")
        ->type_name("FILE");
    command
        ->add_option("--dir", options->plan.folder, "Where to make the memory, removed afterwards")
        ->type_name("DIR")
        ->check(CLI::ExistingDirectory);
    add_model_options(*command, registry.settings);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
