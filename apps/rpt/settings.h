// What the command line says, common to the commands, and how each command is registered.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "apps/rpt/text_reader.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace rpt::cli {

struct Settings {
    bool json = false, quiet = false;
    std::string model;  // path or name; empty: that of the memory, or the default
    std::string owner = "default";
    std::vector<std::string> collections = {"default"};
    int64_t timeout_ms = 0;  // of the whole command, from `start`; 0: none
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
    uint32_t reading = 0;      // RPT_READ_*, summed; 0: the model's choice
    uint32_t neighbours = 0;   // chunks retrieved for each chunk; 0: the model's choice
    uint64_t cache_bytes = 0;  // decoded states of the store; 0: the library's choice
    uint32_t threads = 0;      // 0: one
    int32_t state_codec = 0;   // RPT_STATES_*, of what is written
    int64_t wait_ms = 0;       // for another writer; 0: not at all, -1: as long as it takes
    TextForm text;             // how files and stdin are taken
};

// Set by the command that was chosen; run after the whole line was understood. Returns the exit
// code.
using Action = std::function<int(const Settings&)>;

struct Registry {
    CLI::App& app;
    Settings& settings;
    Action& action;
};

// A command below `parent` with a line of description and an example; --json, --quiet and --timeout
// come with it.
CLI::App* add_command(Registry& registry, CLI::App& parent, const std::string& name,
                      const std::string& description, const std::string& example);
void add_model_options(CLI::App& command, Settings& settings);
// --wait, of the commands that write.
void add_wait_option(CLI::App& command, Settings& settings);
// --encoding and --lossy.
void add_text_options(CLI::App& command, Settings& settings);
void add_neighbours_option(CLI::App& command, Settings& settings);
// --read
void add_reading_option(CLI::App& command, Settings& settings);
// --owner and one --collection; with `several` it may be given again to read from more than one.
void add_space_options(CLI::App& command, Settings& settings, bool several);
CLI::Option* add_size_option(CLI::App& command, const std::string& name, uint64_t& target,
                             const std::string& text);
CLI::Option* add_count_option(CLI::App& command, const std::string& name, uint64_t& target,
                              const std::string& text);

// One for each file command_*.cc.
void register_add(Registry& registry);
void register_search(Registry& registry);
void register_complete(Registry& registry);
void register_score(Registry& registry);
void register_chat(Registry& registry);
void register_memory_list(Registry& registry, CLI::App& memory);
void register_memory_stat(Registry& registry, CLI::App& memory);
void register_memory_show(Registry& registry, CLI::App& memory);
void register_memory_delete(Registry& registry, CLI::App& memory);
void register_memory_drop(Registry& registry, CLI::App& memory);
void register_memory_rebuild_index(Registry& registry, CLI::App& memory);
void register_memory_budget(Registry& registry, CLI::App& memory);
void register_memory_compact(Registry& registry, CLI::App& memory);
void register_memory_copy(Registry& registry, CLI::App& memory);
void register_memory_check(Registry& registry, CLI::App& memory);
void register_memory_upgrade(Registry& registry, CLI::App& memory);
void register_model_info(Registry& registry, CLI::App& model);
void register_model_import(Registry& registry, CLI::App& model);
void register_model_list(Registry& registry, CLI::App& model);
void register_bench(Registry& registry);

}  // namespace rpt::cli
