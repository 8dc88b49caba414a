// The commands of rpt-lab: each adds its words to the command line and leaves what to run in
// `action`.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace rpt::lab {

// Exit codes of all commands.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUsage = 2;
inline constexpr int kInterrupted = 130;

struct Common {
    bool quiet = false;
    bool json = false;
    std::function<int()> action;  // of the chosen command
};

void add_tokenizer_command(CLI::App& app, Common& common);
void add_data_command(CLI::App& app, Common& common);
void add_train_command(CLI::App& app, Common& common);
void add_targets_command(CLI::App& app, Common& common);
void add_export_command(CLI::App& app, Common& common);
void add_eval_command(CLI::App& app, Common& common);
void add_compare_command(CLI::App& app, Common& common);
void add_dpr_command(CLI::App& app, Common& common);
void add_speed_command(CLI::App& app, Common& common);
void add_prove_command(CLI::App& app, Common& common);
void add_memory_command(CLI::App& app, Common& common);
void add_memory_row_command(CLI::App& group, Common& common);  // under `memory`
// Under `memory`; not where the laboratory is built alone.
void add_memory_read_command(CLI::App& group, Common& common);

}  // namespace rpt::lab
