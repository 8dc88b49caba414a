// rpt complete STORE: continue a text, streaming, and tell which chunks shaped it.
#include <unistd.h>
#include <CLI/App.hpp>

#include "apps/rpt/edited_file.h"
#include "apps/rpt/generated_text.h"
#include "apps/rpt/hit_record.h"
#include "apps/rpt/output.h"
#include "apps/rpt/prompt_text.h"
#include "apps/rpt/quantities.h"
#include "apps/rpt/sampling_seed.h"
#include "apps/rpt/workplace.h"

namespace rpt::cli {
namespace {

struct Options {
    std::string store, prompt, file, suffix, suffix_file;
    uint64_t line = 0;  // 0: the whole file
    uint32_t max_tokens = 256, top_k = 0;
    float temperature = 0, top_p = 0, repeat_penalty = 0;
    uint64_t seed = 0;
    std::vector<std::string> stop;
    bool explain = false, no_memory = false;
};

struct Retrieval {
    uint64_t at_token;
    std::vector<HitRecord> hits;
};

// What the callback gathers. It must not throw: a failure is kept and thrown behind the call.
struct Listener {
    bool stream, on_terminal;
    std::string text;
    std::vector<Retrieval> retrievals;
    std::string failure;

    int32_t take(const rpt_event& event) {
        try {
            if (event.type == RPT_EVENT_TEXT) {
                text += view(event.text);
                if (stream && !write_generated(view(event.text), on_terminal)) return 1;
            } else if (event.type == RPT_EVENT_HITS) {
                retrievals.push_back({event.at_token, copy_hits(event.hits)});
            }
            return 0;
        } catch (const std::exception& problem) {
            failure = problem.what();
            return -1;
        }
    }
};

int32_t on_event(void* user, const rpt_event* event) {
    return static_cast<Listener*>(user)->take(*event);
}

void explain(const Listener& listener) {
    for (const Retrieval& retrieval : listener.retrievals) {
        complain("from token " + std::to_string(retrieval.at_token) +
                 " on:" + (retrieval.hits.empty() ? " nothing was retrieved\n" : "\n"));
        for (const HitRecord& hit : retrieval.hits) complain("  " + hit_line(hit) + "\n");
    }
    if (listener.retrievals.empty()) complain("no chunk shaped this text\n");
}

void print_result(const Workplace& place, const Settings& settings, const Listener& listener,
                  const rpt_generate_result& result) {
    LineFinder lines;
    nlohmann::ordered_json json = {
        {"text", listener.text},
        {"tokens", result.tokens},
        {"finish", finish_name(result.finish)},
        {"seed", result.seed},
        {"first_token_ms", static_cast<double>(result.first_token_us) / 1e3},
        {"total_ms", static_cast<double>(result.total_us) / 1e3},
        {"retrievals", nlohmann::ordered_json::array()},
    };
    for (const Retrieval& retrieval : listener.retrievals) {
        nlohmann::ordered_json hits = nlohmann::ordered_json::array();
        for (const HitRecord& hit : retrieval.hits) {
            hits.push_back(shaping_hit_json(hit, lines.line_of(place, settings, hit)));
        }
        json["retrievals"].push_back({{"at_token", retrieval.at_token}, {"hits", std::move(hits)}});
    }
    print_json(json);
}

rpt_generate_options generate_options(const Options& options, const std::vector<rpt_str>& stop,
                                      const std::string& suffix,
                                      const rpt_retrieve_options& retrieve) {
    rpt_generate_options generate = RPT_GENERATE_OPTIONS_INIT;
    generate.flags = options.no_memory ? RPT_GENERATE_NO_MEMORY : RPT_GENERATE_HITS;
    generate.max_tokens = options.max_tokens;
    generate.top_k = options.top_k;
    generate.temperature = options.temperature;
    generate.top_p = options.top_p;
    generate.repeat_penalty = options.repeat_penalty;
    generate.seed = options.seed != 0 ? options.seed : draw_seed();
    generate.stop = stop.data();
    generate.n_stop = stop.size();
    generate.retrieve = &retrieve;
    generate.suffix = {suffix.data(), suffix.size()};
    return generate;
}

int run(const Settings& settings, const Options& options, bool has_prompt) {
    std::string prompt =
        has_prompt ? options.prompt : read_whole_text(options.file.empty() ? "-" : options.file);
    if (options.line > 0) prompt = text_up_to_line(prompt, options.line, options.file);
    const std::string suffix =
        options.suffix_file.empty() ? options.suffix : read_whole_text(options.suffix_file);
    const bool with_store = options.store != "-" && !options.no_memory;
    Workplace place(settings);
    if (with_store) {
        place.open_memory(settings, options.store, Access::kRead);
        place.open_spaces(settings, false);
    } else {
        // the memory that is not read still tells which model to compare with
        place.open_model(settings, options.store == "-" ? "" : options.store);
    }
    const Session session =
        place.new_session(!options.no_memory, settings.neighbours, settings.reading);
    {
        Progress progress("reading the prompt", prompt.size(), Progress::Unit::kBytes,
                          settings.quiet);
        Call call(&progress);
        Error error;
        error.check(
            rpt_session_read(session.get(), prompt.data(), prompt.size(), call.get(), error.out()));
    }

    std::vector<rpt_str> stop;
    for (const std::string& text : options.stop) stop.push_back({text.data(), text.size()});
    rpt_retrieve_options retrieve = RPT_RETRIEVE_OPTIONS_INIT;
    retrieve.flags = RPT_RETRIEVE_TEXT;
    // what is being edited must not be continued with what it was
    const std::string own =
        options.line > 0 && with_store ? document_of_file(place, options.file) : std::string();
    if (!own.empty()) retrieve.exclude_key = own.c_str();
    const rpt_generate_options generate = generate_options(options, stop, suffix, retrieve);

    Listener listener{!settings.json, isatty(STDOUT_FILENO) == 1, {}, {}, {}};
    rpt_generate_result result = {};
    result.struct_size = sizeof(result);
    Call call;
    Error error;
    const rpt_status status = rpt_session_generate(session.get(), &generate, call.get(), on_event,
                                                   &listener, &result, error.out());
    if (!listener.failure.empty()) throw Failure(listener.failure);
    // An interrupted text is still a result: what was written stands, and says that it did not end
    // by itself.
    if (status == RPT_OK || status == RPT_ERR_CANCELLED) {
        if (settings.json) {
            print_result(place, settings, listener, result);
        } else {
            if (!listener.text.ends_with('\n')) print_line("");
            flush_output();
        }
        if (options.explain && !settings.json) explain(listener);
    }
    if (status == RPT_ERR_CANCELLED && settings.json) throw ToldFailure(error.failure(status));
    error.check(status);
    if (!settings.json && !options.explain) return kExitDone;
    if (!settings.json) {
        remark(settings,
               std::to_string(result.tokens) + " tokens, ended by " + finish_name(result.finish) +
                   ", seed " + std::to_string(result.seed) + ", first after " +
                   format_seconds(static_cast<double>(result.first_token_us) / 1e6) +
                   ", all after " + format_seconds(static_cast<double>(result.total_us) / 1e6));
    }
    return kExitDone;
}

}  // namespace

void register_complete(Registry& registry) {
    auto options = std::make_shared<Options>();
    CLI::App* command = add_command(registry, registry.app, "complete",
                                    "Continue a text with what the memory holds",
                                    "rpt complete notes --prompt \"The captain turned to\" "
                                    "--max-tokens 64 --temperature 0.8 --explain");
    command->add_option("STORE", options->store, "Directory of the memory, or - for none")
        ->required();
    auto* prompt =
        command->add_option("-p,--prompt", options->prompt, "Text to continue")->type_name("TEXT");
    auto* file = command
                     ->add_option("-f,--file", options->file,
                                  "Read the text from a file, - for stdin (the default)")
                     ->type_name("FILE")
                     ->excludes(prompt);
    command
        ->add_option("--line", options->line,
                     "Go on behind this line of the file, which is then left out of the memory")
        ->type_name("N")
        ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40))
        ->needs(file);
    auto* suffix =
        command
            ->add_option("--suffix", options->suffix, "Fill the gap between the text and this one")
            ->type_name("TEXT");
    command->add_option("--suffix-file", options->suffix_file, "Read that text from a file")
        ->type_name("FILE")
        ->excludes(suffix);
    command->add_option("-n,--max-tokens", options->max_tokens, "Stop after so many tokens")
        ->type_name("N")
        ->check(CLI::Range(1, 1 << 30))
        ->capture_default_str();
    command->add_option("-t,--temperature", options->temperature, "0: always the likeliest token")
        ->type_name("X")
        ->check(CLI::Range(0.0, 100.0))
        ->capture_default_str();
    command->add_option("--top-k", options->top_k, "Choose among so many tokens (default: all)")
        ->type_name("N");
    command
        ->add_option("--top-p", options->top_p,
                     "Choose among tokens that hold this share of the probability")
        ->type_name("X")
        ->check(CLI::Range(0.0, 1.0));
    command
        ->add_option("--repeat-penalty", options->repeat_penalty,
                     "Above 1: make recent tokens less likely")
        ->type_name("X")
        ->check(CLI::Range(0.0, 100.0));
    command
        ->add_option("--seed", options->seed,
                     "Same seed, same text (default: chosen and reported); below 2^53")
        ->type_name("N")
        ->check(CLI::Range(uint64_t{0}, kMaxSeed));
    command->add_option("--stop", options->stop, "End before this text; may be given again")
        ->type_name("TEXT")
        ->allow_extra_args(false);
    command->add_flag("--explain", options->explain, "Show on stderr which chunks shaped the text");
    command->add_flag("--no-memory", options->no_memory,
                      "Retrieve nothing, not even from the text's own past");
    add_space_options(*command, registry.settings, true);
    add_model_options(*command, registry.settings);
    add_neighbours_option(*command, registry.settings);
    add_reading_option(*command, registry.settings);
    command->callback([&registry, options, prompt] {
        const bool has_prompt = prompt->count() > 0;
        registry.action = [options, has_prompt](const Settings& settings) {
            return run(settings, *options, has_prompt);
        };
    });
}

}  // namespace rpt::cli
