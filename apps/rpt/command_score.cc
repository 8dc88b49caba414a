// rpt score STORE FILE: how surprising a text is, with the memory or without.
#include <CLI/App.hpp>
#include <cmath>

#include "apps/rpt/hit_record.h"
#include "apps/rpt/output.h"
#include "apps/rpt/prompt_text.h"
#include "apps/rpt/quantities.h"
#include "apps/rpt/workplace.h"

namespace rpt::cli {
namespace {

struct Options {
    std::string store, file;
    bool no_memory = false, by_chunk = false;
};

struct Row {
    uint64_t begin, end, tokens;
    double nats;
    std::vector<HitRecord> hits;
};

struct Listener {
    std::vector<Row> rows;
    std::string failure;
    Progress* progress;
    bool keep;

    int32_t take(const rpt_scored_chunk& chunk) {
        try {
            progress->set(chunk.span.end);
            if (!keep) return 0;
            rows.push_back(
                {chunk.span.begin, chunk.span.end, chunk.tokens, chunk.nll, copy_hits(chunk.hits)});
            return 0;
        } catch (const std::exception& problem) {
            failure = problem.what();
            return -1;
        }
    }
};

int32_t on_chunk(void* user, const rpt_scored_chunk* chunk) {
    return static_cast<Listener*>(user)->take(*chunk);
}

double perplexity(double nats, uint64_t tokens) {
    return tokens == 0 ? 1.0 : std::exp(nats / static_cast<double>(tokens));
}

void print_json_result(const Options& options, const rpt_score& score,
                       const std::vector<Row>& rows) {
    nlohmann::ordered_json json = {{"tokens", score.tokens},
                                   {"bytes", score.bytes},
                                   {"nats", score.nll},
                                   {"perplexity", perplexity(score.nll, score.tokens)},
                                   {"bits_per_byte", score.bits_per_byte},
                                   {"retrievals", score.retrievals}};
    if (options.by_chunk) {
        json["chunks"] = nlohmann::ordered_json::array();
        for (const Row& row : rows) {
            nlohmann::ordered_json hits = nlohmann::ordered_json::array();
            for (const HitRecord& hit : row.hits) {
                hits.push_back(shaping_hit_json(hit, std::nullopt));
                hits.back().erase(
                    "text");  // own past and memory alike: the spans say where to look
                hits.back().erase("line");
            }
            json["chunks"].push_back({{"begin", row.begin},
                                      {"end", row.end},
                                      {"tokens", row.tokens},
                                      {"nats", row.nats},
                                      {"perplexity", perplexity(row.nats, row.tokens)},
                                      {"hits", std::move(hits)}});
        }
    }
    print_json(json);
}

void print_rows(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        print("[" + std::to_string(row.begin) + ", " + std::to_string(row.end) + ")  " +
              std::to_string(row.tokens) + " tokens  " + format_fixed(row.nats, 1) +
              " nats  perplexity " + format_fixed(perplexity(row.nats, row.tokens), 2));
        for (const HitRecord& hit : row.hits) {
            print("  <- " + (hit.own ? std::string("this text") : printable(hit.key)) + " [" +
                  std::to_string(hit.begin) + ", " + std::to_string(hit.end) + ") " +
                  use_of(hit, 2));
        }
        print("\n");
    }
}

int run(const Settings& settings, const Options& options) {
    const std::string text = read_whole_text(options.file);
    Workplace place(settings);
    if (options.store != "-" && !options.no_memory) {
        place.open_memory(settings, options.store, Access::kRead);
        place.open_spaces(settings, false);
    } else {
        // the memory that is not read still tells which model to compare with
        place.open_model(settings, options.store == "-" ? "" : options.store);
    }
    const Session session =
        place.new_session(!options.no_memory, settings.neighbours, settings.reading);
    rpt_score score = {};
    score.struct_size = sizeof(score);
    Progress progress("scoring", text.size(), Progress::Unit::kBytes, settings.quiet);
    Listener listener{{}, {}, &progress, options.by_chunk};
    Call call;
    Error error;
    const rpt_status status = rpt_session_score(
        session.get(), text.data(), text.size(), options.no_memory ? RPT_SCORE_NO_MEMORY : 0u,
        call.get(), on_chunk, &listener, &score, error.out());
    progress.clear();
    if (!listener.failure.empty()) throw Failure(listener.failure);
    error.check(status);

    if (settings.json) {
        print_json_result(options, score, listener.rows);
        return kExitDone;
    }
    print_rows(listener.rows);
    const std::string memory = options.no_memory      ? "no memory"
                               : options.store == "-" ? "its own past alone"
                                                      : "the memory \"" + options.store + "\"";
    print_line("with " + memory + ": " + format_count(score.tokens) + " tokens, " +
               format_fixed(score.nll, 2) + " nats, perplexity " +
               format_fixed(perplexity(score.nll, score.tokens), 4) + ", " +
               format_fixed(score.bits_per_byte, 5) + " bits a byte, " +
               format_count(score.retrievals) + " retrievals");
    flush_output();
    return kExitDone;
}

}  // namespace

void register_score(Registry& registry) {
    auto options = std::make_shared<Options>();
    CLI::App* command = add_command(registry, registry.app, "score",
                                    "Measure how surprising a text is to a reader with this memory",
                                    "rpt score notes chapter.txt --by-chunk");
    command->add_option("STORE", options->store, "Directory of the memory, or - for none")
        ->required();
    command->add_option("FILE", options->file, "Text, - for stdin")->required();
    command->add_flag("--no-memory", options->no_memory,
                      "The same measurement without any retrieval");
    command->add_flag("--by-chunk", options->by_chunk,
                      "One line for each chunk, with what shaped it");
    add_space_options(*command, registry.settings, true);
    add_model_options(*command, registry.settings);
    add_neighbours_option(*command, registry.settings);
    add_reading_option(*command, registry.settings);
    command->callback([&registry, options] {
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
