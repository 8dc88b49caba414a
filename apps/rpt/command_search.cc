// rpt search STORE QUERY: what belongs to a text, by meaning, by words, by names.
#include <CLI/App.hpp>

#include <algorithm>
#include <chrono>

#include "apps/rpt/hit_record.h"
#include "apps/rpt/moment.h"
#include "apps/rpt/output.h"
#include "apps/rpt/prompt_text.h"
#include "apps/rpt/quantities.h"
#include "apps/rpt/workplace.h"

namespace rpt::cli {
namespace {

struct Options {
    std::string store, query, file;
    uint32_t k = 0;
    bool exact = false, why = false;
    std::vector<std::string> legs;
    std::string since, before, path;
};

uint32_t legs_of(const Options& options) {
    uint32_t legs = 0;
    for (const std::string& name : options.legs)
        legs |= 1u << (std::ranges::find(kLegNames, name) - kLegNames.begin());
    return legs;
}

int64_t moment_of(const std::string& text, const char* option) {
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    if (const auto moment = parse_moment_ms(text, now.count())) return *moment;
    throw Failure(std::string(option) + " \"" + text +
                      "\" is no time: write 2026-11-30, 2026-11-30T17:40, 7d, 12h or 30m",
                  kExitUsage);
}

void limit(const Options& options, rpt_retrieve_options& retrieve) {
    if (!options.since.empty()) {
        retrieve.has_times |= RPT_RETRIEVE_SINCE;
        retrieve.since_ms = moment_of(options.since, "--since");
    }
    if (!options.before.empty()) {
        retrieve.has_times |= RPT_RETRIEVE_BEFORE;
        retrieve.before_ms = moment_of(options.before, "--before");
    }
    if (!options.path.empty()) retrieve.key_pattern = options.path.c_str();
}

int run(const Settings& settings, const Options& options) {
    const std::string query = options.file.empty() ? options.query : read_whole_text(options.file);
    if (query.empty()) throw Failure("the query is empty: give a text, or --file", kExitUsage);
    rpt_retrieve_options retrieve = RPT_RETRIEVE_OPTIONS_INIT;
    limit(options, retrieve);
    Workplace place(settings);
    place.open_memory(settings, options.store, Access::kRead);
    place.open_spaces(settings, false);

    retrieve.flags = RPT_RETRIEVE_TEXT | (options.exact ? RPT_RETRIEVE_EXACT : 0u);
    retrieve.k = options.k;
    retrieve.legs = legs_of(options);
    const auto spaces = place.borrowed_spaces();
    Call call;
    rpt_hits* found = nullptr;
    Error error;
    error.check(rpt_retrieve(spaces.data(), spaces.size(), query.data(), query.size(), &retrieve,
                             call.get(), &found, error.out()));
    const Hits hits(found);

    LineFinder lines;
    nlohmann::ordered_json json = {{"hits", nlohmann::ordered_json::array()}};
    const auto records = copy_hits(hits.get());
    for (const HitRecord& hit : records) {
        const auto line = lines.line_of(place, settings, hit);
        if (settings.json) {
            nlohmann::ordered_json& out = json["hits"].emplace_back(hit_json(hit, line));
            out["lines"] = lines.whole_lines(place, settings, hit);
            out["legs"] = legs_json(hit);
            continue;
        }
        print_line(printable(hit.key) + (line ? ":" + std::to_string(*line) : "") + "  [" +
                   std::to_string(hit.begin) + ", " + std::to_string(hit.end) + ")  score " +
                   format_fixed(hit.score, 3));
        if (options.why && !hit.legs.empty()) print_line("found by " + legs_line(hit));
        print_line(printable(lines.whole_lines(place, settings, hit)));
        print_line("");
    }
    if (settings.json) print_json(json);
    if (records.empty())
        remark(settings, "nothing found: the memory is empty, or nothing passes the options");
    flush_output();
    return kExitDone;
}

}  // namespace

void register_search(Registry& registry) {
    auto options = std::make_shared<Options>();
    CLI::App* command = add_command(registry, registry.app, "search",
                                    "Show what belongs to a text, by meaning, words and names",
                                    "rpt search notes \"the voyage to the island\" -k 5");
    command->add_option("STORE", options->store, "Directory of the memory")->required();
    auto* query = command->add_option("QUERY", options->query, "Text; its end counts most");
    command->add_option("-f,--file", options->file, "Read the query from a file, - for stdin")
        ->type_name("FILE")
        ->excludes(query);
    command->add_option("-k", options->k, "Hits wanted (default: as the model was trained)")
        ->type_name("N")
        ->check(CLI::Range(1, 1024));
    command->add_flag("--exact", options->exact,
                      "Compare with every key instead of using the index");
    command
        ->add_option(
            "--leg", options->legs,
            "Compare in this way alone, again for more: keys (what the model makes of "
            "the text), words, grams (pieces of words), definitions (of names), states (of tokens)")
        ->type_name("LEG")
        ->check(CLI::IsMember(std::vector<std::string>(kLegNames.begin(), kLegNames.end())));
    command
        ->add_option("--since", options->since,
                     "Documents of this time or later: 2026-11-30, 2026-11-30T17:40 (UTC), or 7d, "
                     "12h, 30m ago")
        ->type_name("TIME");
    command->add_option("--before", options->before, "Documents from before this time")
        ->type_name("TIME");
    command
        ->add_option("--path", options->path,
                     "Documents whose key matches: * stands for any characters, ? for one")
        ->type_name("PATTERN");
    command->add_flag("--why", options->why, "Tell which ways found a hit, with rank and score");
    add_space_options(*command, registry.settings, true);
    add_model_options(*command, registry.settings);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
