// rpt model info [MODEL]: what a model holds.
#include <CLI/App.hpp>

#include "apps/rpt/memory_access.h"
#include "apps/rpt/model_making.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

int run(Settings settings, const std::string& model) {
    if (!model.empty()) settings.model = model;
    Workplace place(settings);
    place.open_model(settings);
    const rpt_model_info& info = place.model_info();
    const std::string& path = place.model_path();
    const std::string fingerprint = hex(info.fingerprint, sizeof(info.fingerprint));
    if (settings.json) {
        print_json({{"path", path},
                    {"fingerprint", fingerprint},
                    {"parameters", info.parameters},
                    {"weight_bytes", info.weight_bytes},
                    {"layers", info.layers},
                    {"key_dim", info.key_dim},
                    {"vocab_size", info.vocab_size},
                    {"chunk_tokens", info.chunk_tokens},
                    {"block_tokens", info.block_tokens},
                    {"window_tokens", info.window_tokens},
                    {"neighbours", info.neighbours},
                    {"state_bytes_per_chunk", info.state_bytes_per_chunk},
                    {"fills_stores", (info.flags & RPT_MODEL_FILLS_STORES) != 0},
                    {"untrained", (info.flags & RPT_MODEL_UNTRAINED) != 0},
                    {"expects_nfc", (info.flags & RPT_MODEL_EXPECTS_NFC) != 0}});
        return kExitDone;
    }
    print_line("file         " + path);
    print_line("fingerprint  " + fingerprint);
    print_line("parameters   " + format_count(info.parameters) + ", " +
               format_size(info.weight_bytes) + " in memory");
    const uint64_t width = info.state_bytes_per_chunk / sizeof(float) / info.chunk_tokens;
    print_line("layers       " + std::to_string(info.layers) + " of width " +
               std::to_string(width) + ", keys of " + std::to_string(info.key_dim) + " numbers");
    print_line("vocabulary   " + format_count(info.vocab_size) + " tokens");
    print_line("chunk        " + std::to_string(info.chunk_tokens) + " tokens, " +
               format_size(info.state_bytes_per_chunk) + " of states before compression");
    print_line("block        " + std::to_string(info.block_tokens) + " tokens, window " +
               std::to_string(info.window_tokens));
    print_line("neighbours   " + std::to_string(info.neighbours) + " a chunk");
    if ((info.flags & RPT_MODEL_UNTRAINED) != 0) print_line(kUntrainedMemory);
    if ((info.flags & RPT_MODEL_FILLS_STORES) == 0)
        print_line("no memory: it continues text and fills no store; rpt model import makes one");
    if ((info.flags & RPT_MODEL_EXPECTS_NFC) != 0)
        print_line("expects text in Unicode's form NFC; rpt reads text as it is");
    flush_output();
    return kExitDone;
}

}  // namespace

void register_model_info(Registry& registry, CLI::App& model) {
    auto name = std::make_shared<std::string>();
    CLI::App* command = add_command(registry, model, "info", "Show what a model holds",
                                    "rpt model info models/nano.safetensors");
    command->add_option("MODEL", *name,
                        "Path or name: a package, a GGUF file, a folder (default: smollm2-135m)");
    add_model_options(*command, registry.settings);
    command->callback([&registry, name] {
        registry.action = [name](const Settings& settings) { return run(settings, *name); };
    });
}

}  // namespace rpt::cli
