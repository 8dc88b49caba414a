#include "apps/rpt/settings.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "apps/rpt/quantities.h"
#include "include/rpt.h"

namespace rpt::cli {
namespace {

// Options that take a value with a unit: a word that does not parse is wrong usage.
template <class T, class Parse>
CLI::Option* add_quantity(CLI::App& command, const std::string& name, T& target, Parse parse,
                          const std::string& kind, const std::string& example,
                          const std::string& text) {
    return command
        .add_option_function<std::string>(
            name,
            [&target, parse, name, example](const std::string& word) {
                auto value = parse(word);
                if (!value)
                    throw CLI::ValidationError(name,
                                               "\"" + word + "\" is not of the form " + example);
                target = *value;
            },
            text)
        ->type_name(kind);
}

}  // namespace

CLI::App* add_command(Registry& registry, CLI::App& parent, const std::string& name,
                      const std::string& description, const std::string& example) {
    CLI::App* command = parent.add_subcommand(name, description);
    command->footer("Example:\n  " + example);
    command->add_flag("--json", registry.settings.json, "Print one JSON object and nothing else");
    command->add_flag("-q,--quiet", registry.settings.quiet, "No progress bars and no remarks");
    add_quantity(*command, "--timeout", registry.settings.timeout_ms, parse_duration_ms, "TIME",
                 "30s or 500ms", "Give up after this time, such as 30s");
    return command;
}

void add_model_options(CLI::App& command, Settings& settings) {
    command
        .add_option(
            "-m,--model", settings.model,
            "Model file, or a name of rpt model list (default: the one that made the memory; "
            "for a new one smollm2-135m)")
        ->type_name("PATH|NAME");
    command.add_option("--threads", settings.threads, "Threads of the model (default: 1)")
        ->type_name("N");
    add_size_option(command, "--cache", settings.cache_bytes,
                    "Model states of the store kept in memory (default: 64M)");
}

void add_wait_option(CLI::App& command, Settings& settings) {
    const std::string text =
        "Wait while another process writes to the memory, with --wait=30s so long at most";
    command.add_flag("--wait", text)->each([&settings](const std::string& word) {
        const auto ms = word == "true" ? std::optional<int64_t>(-1) : parse_duration_ms(word);
        if (!ms)
            throw CLI::ValidationError("--wait",
                                       "\"" + word + "\" is not of the form 30s or 500ms");
        settings.wait_ms = *ms;
    });
}

void add_text_options(CLI::App& command, Settings& settings) {
    command
        .add_option("--encoding", settings.text.encoding,
                    "Encoding of texts without a byte order mark (default: UTF-8)")
        ->type_name("NAME")
        ->check([](const std::string& name) {
            return knows_encoding(name) ? std::string()
                                        : "\"" + name + "\" is not known; see iconv --list";
        });
    command.add_flag("--lossy", settings.text.lossy,
                     "Keep bytes that are invalid and read them as U+FFFD");
}

void add_neighbours_option(CLI::App& command, Settings& settings) {
    command
        .add_option("--neighbours", settings.neighbours,
                    "Chunks retrieved for each chunk (default: the model's choice); more help a "
                    "little more and cost time")
        ->type_name("N")
        ->check(CLI::Range(1, 1024));
}

void add_reading_option(CLI::App& command, Settings& settings) {
    const auto read = [&settings](const std::string& names) {
        settings.reading = 0;
        for (size_t begin = 0; begin <= names.size();) {
            const size_t end = std::min(names.find(',', begin), names.size());
            const std::string name = names.substr(begin, end - begin);
            begin = end + 1;
            if (name == "cca") {
                settings.reading |= RPT_READ_CCA;
            } else if (name == "copy") {
                settings.reading |= RPT_READ_COPY;
            } else if (name == "upper") {
                settings.reading |= RPT_READ_UPPER;
            } else if (name == "text") {
                settings.reading |= RPT_READ_TEXT;
            } else {
                throw CLI::ValidationError("--read",
                                           "\"" + name +
                                               "\" is not a way to read; "
                                               "use cca, copy, upper, text, or several with "
                                               "commas");
            }
        }
    };
    command
        .add_option_function<std::string>(
            "--read", read,
            "Ways to read the memory: cca, copy, upper, text (default: the model's choice)")
        ->type_name("WAYS");
}

void add_space_options(CLI::App& command, Settings& settings, bool several) {
    command.add_option("--owner", settings.owner, "Whose memory")
        ->type_name("NAME")
        ->capture_default_str();
    auto* option = command.add_option(
        "--collection", settings.collections,
        several ? "Which part of it; may be given again to read several (default: default)"
                : "Which part of it (default: default)");
    option->type_name("NAME")->allow_extra_args(false);
    if (!several) option->expected(1);
}

CLI::Option* add_size_option(CLI::App& command, const std::string& name, uint64_t& target,
                             const std::string& text) {
    return add_quantity(command, name, target, parse_size, "SIZE", "512M or 2G", text);
}

CLI::Option* add_count_option(CLI::App& command, const std::string& name, uint64_t& target,
                              const std::string& text) {
    return add_quantity(command, name, target, parse_count, "COUNT", "50k or 1M", text);
}

}  // namespace rpt::cli
