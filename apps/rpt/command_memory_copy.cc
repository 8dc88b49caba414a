// rpt memory backup STORE COPY and rpt memory restore COPY STORE.
#include <CLI/App.hpp>
#include <chrono>

#include "apps/rpt/memory_access.h"
#include "apps/rpt/memory_place.h"
#include "apps/rpt/output.h"
#include "apps/rpt/quantities.h"

namespace rpt::cli {
namespace {

struct Options {
    std::string from, to;
};

int report(const Settings& settings, const char* done, const std::string& path,
           std::chrono::steady_clock::time_point start) {
    Workplace place(settings);
    place.open_store(settings, path, Access::kRead);
    const rpt_store_stats stats = read_stats(place.store.get());
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (settings.json) {
        print_json({{"path", path},
                    {"documents", stats.documents},
                    {"disk_bytes", stats.disk_bytes},
                    {"seconds", seconds}});
    } else {
        print_line(std::string(done) + " " + format_count(stats.documents) + " documents, " +
                   format_size(stats.disk_bytes) + ", in " + format_seconds(seconds));
        flush_output();
    }
    return kExitDone;
}

int back_up(const Settings& settings, const Options& options) {
    const auto start = std::chrono::steady_clock::now();
    check_place_of_copy(options.from, options.to);
    {
        Workplace place(settings);
        place.open_store(settings, options.from, Access::kRead);
        Progress progress("copying", 0, Progress::Unit::kCount, settings.quiet);
        Call call(&progress);
        Error error;
        error.check(
            rpt_store_backup(place.store.get(), options.to.c_str(), call.get(), error.out()));
    }
    return report(settings, "copied", options.to, start);
}

int restore(const Settings& settings, const Options& options) {
    const auto start = std::chrono::steady_clock::now();
    check_place_of_copy(options.from, options.to);
    {
        Workplace place(settings);
        Progress progress("checking and copying", 0, Progress::Unit::kCount, settings.quiet);
        Call call(&progress);
        Error error;
        error.check(rpt_store_restore(place.env.get(), options.from.c_str(), options.to.c_str(),
                                      call.get(), error.out()));
    }
    return report(settings, "restored", options.to, start);
}

void add(Registry& registry, CLI::App& memory, const std::string& name,
         const std::string& description, const std::string& example,
         const std::array<const char*, 4>& words, int (*run)(const Settings&, const Options&)) {
    auto options = std::make_shared<Options>();
    CLI::App* command = add_command(registry, memory, name, description, example);
    command->add_option(words[0], options->from, words[1])->required();
    command->add_option(words[2], options->to, words[3])->required();
    command->callback([&registry, options, run] {
        registry.action = [options, run](const Settings& settings) {
            return run(settings, *options);
        };
    });
}

}  // namespace

void register_memory_copy(Registry& registry, CLI::App& memory) {
    add(registry, memory, "backup", "Copy a memory as it is now; others may write meanwhile",
        "rpt memory backup notes /backup/notes-monday",
        {"STORE", "Directory of the memory", "COPY", "Directory of the copy, which holds none yet"},
        back_up);
    add(registry, memory, "restore", "Check a copy in full and make a memory of it",
        "rpt memory restore /backup/notes-monday notes",
        {"COPY", "Directory of the copy", "STORE", "Directory of the memory, which holds none yet"},
        restore);
}

}  // namespace rpt::cli
