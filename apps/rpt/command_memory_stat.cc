// rpt memory stat STORE: how much is in a memory and what it costs on disk.
#include <CLI/App.hpp>
#include <algorithm>

#include "apps/rpt/memory_access.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

struct Options {
    std::string store;
};

int run(const Settings& settings, const Options& options) {
    Workplace place(settings);
    place.open_store(settings, options.store, Access::kRead);
    const rpt_store_stats stats = read_stats(place.store.get());
    const std::string model = hex(stats.model_fingerprint, sizeof(stats.model_fingerprint));
    if (settings.json) {
        print_json({{"spaces", stats.spaces},
                    {"documents", stats.documents},
                    {"chunks", stats.chunks},
                    {"tokens", stats.tokens},
                    {"text_bytes", stats.text_bytes},
                    {"state_bytes", stats.state_bytes_disk},
                    {"key_bytes", stats.key_bytes},
                    {"index_bytes", stats.index_bytes},
                    {"disk_bytes", stats.disk_bytes},
                    {"model", model},
                    {"format_version", stats.format_version},
                    {"text_bytes_disk", stats.text_bytes_disk},
                    {"state_bytes_raw", stats.state_bytes_raw},
                    {"meta_bytes", stats.meta_bytes},
                    {"reclaimable_bytes", stats.reclaimable_bytes},
                    {"pointer_bytes", stats.pointer_bytes},
                    {"budget_bytes", stats.budget_bytes},
                    {"document_chunks", stats.document_chunks},
                    {"document_tokens", stats.document_tokens}});
        return kExitDone;
    }
    const auto row = [](const std::string& name, const std::string& value) {
        print_line(name + std::string(16 - std::min<size_t>(16, name.size()), ' ') + value);
    };
    row("spaces", format_count(stats.spaces));
    row("documents", format_count(stats.documents));
    row("chunks", format_count(stats.chunks));
    row("tokens", format_count(stats.tokens));
    if (stats.document_tokens > stats.tokens)
        row("shared", format_count(stats.document_tokens - stats.tokens) +
                          " tokens that several documents have are kept once");
    row("text", format_size(stats.text_bytes) + ", on disk " + format_size(stats.text_bytes_disk));
    row("states", format_size(stats.state_bytes_disk) + " on disk, " +
                      format_size(stats.state_bytes_raw) + " as fp32");
    row("keys", format_size(stats.key_bytes));
    if (stats.pointer_bytes > 0) row("pointer keys", format_size(stats.pointer_bytes));
    row("index", format_size(stats.index_bytes));
    const double tokens = static_cast<double>(std::max<uint64_t>(1, stats.tokens));
    row("disk", format_size(stats.disk_bytes) + " in all, " +
                    format_fixed(static_cast<double>(stats.disk_bytes) / tokens, 1) +
                    " bytes a token");
    if (stats.budget_bytes > 0) row("budget", format_size(stats.budget_bytes));
    row("reclaimable", format_size(stats.reclaimable_bytes));
    row("model", model);
    flush_output();
    return kExitDone;
}

}  // namespace

void register_memory_stat(Registry& registry, CLI::App& memory) {
    auto options = std::make_shared<Options>();
    CLI::App* command =
        add_memory_command(registry, memory, "stat", "Show sizes and counts of a memory",
                           "rpt memory stat notes --json", options->store);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
