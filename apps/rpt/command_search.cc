// rpt search STORE QUERY: what belongs to a text, by meaning, by words, by names.
#include <CLI/App.hpp>

#include <algorithm>

#include "apps/rpt/hit_record.h"
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
};

uint32_t legs_of(const Options& options) {
    uint32_t legs = 0;
    for (const std::string& name : options.legs)
        legs |= 1u << (std::ranges::find(kLegNames, name) - kLegNames.begin());
    return legs;
}

int run(const Settings& settings, const Options& options) {
    const std::string query = options.file.empty() ? options.query : read_whole_text(options.file);
    if (query.empty()) throw Failure("the query is empty: give a text, or --file", kExitUsage);
    Workplace place(settings);
    place.open_memory(settings, options.store, Access::kRead);
    place.open_spaces(settings, false);

    rpt_retrieve_options retrieve = RPT_RETRIEVE_OPTIONS_INIT;
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
    if (records.empty()) remark(settings, "nothing found: this memory is empty");
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
    command->add_flag("--why", options->why, "Tell which ways found a hit, with rank and score");
    add_space_options(*command, registry.settings, true);
    add_model_options(*command, registry.settings);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
