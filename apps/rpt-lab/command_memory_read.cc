// rpt-lab memory read MODEL: what sessions gain by each way of reading, and what it costs.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <optional>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/progress_line.h"
#include "base/error.h"
#include "core/model/reading.h"
#include "core/reader/session.h"
#include "lab/engine/torch_factory.h"
#include "lab/eval/paired_bootstrap.h"
#include "lab/train/json_lines.h"

namespace rpt::lab {
namespace {

struct ReadArguments {
    std::string model;
    std::vector<std::string> test, ways = {"none", "copy", "upper", "upper,copy"};
    int64_t documents = 2, tokens = 8192, first_token = 4096;
    uint32_t neighbours = 0;
};

// 0 for `none`.
uint32_t way_of(const std::string& names) {
    if (names == "none") return 0;
    const std::pair<const char*, uint32_t> known[] = {
        {"cca", model::kReadCca}, {"copy", model::kReadCopy}, {"upper", model::kReadUpper}};
    uint32_t sum = 0;
    for (size_t begin = 0; begin <= names.size();) {
        const size_t end = std::min(names.find(',', begin), names.size());
        const std::string one = names.substr(begin, end - begin);
        begin = end + 1;
        const auto* found =
            std::ranges::find_if(known, [&](const auto& k) { return one == k.first; });
        if (found == std::end(known))
            throw Error(Status::kArgument, "rpt",
                        "--way \"" + names + "\": write none, or cca, copy, upper with commas");
        sum |= found->second;
    }
    return sum;
}

// A document: what is read first, and what is scored behind it.
struct Passage {
    std::string corpus, id, context, scored;
};

struct Tried {
    double nats = 0, read_seconds = 0, score_seconds = 0;
    uint64_t tokens = 0;
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

bool inside_code_point(const std::string& text, size_t at) {
    return at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80;
}

// The first `tokens` tokens; nothing if there are fewer.
std::optional<Passage> passage_of(const engine::Engine& engine, train::CorpusDocument& document,
                                  const ReadArguments& args) {
    std::string& text = document.text;
    if (text.size() < static_cast<size_t>(args.tokens) * 2) return std::nullopt;
    // eight bytes a token are more than enough of them
    size_t most = std::min(text.size(), static_cast<size_t>(args.tokens) * 8);
    while (inside_code_point(text, most)) --most;
    text.resize(most);
    const std::vector<text::Token> tokens = engine.tokenizer()->encode(text);
    if (static_cast<int64_t>(tokens.size()) <= args.tokens) return std::nullopt;
    size_t border = 0, end = 0;
    for (int64_t i = 0; i < args.tokens; ++i) {
        end += tokens[static_cast<size_t>(i)].size;
        if (i + 1 == args.first_token) border = end;
    }
    while (inside_code_point(text, border)) --border;
    while (inside_code_point(text, end)) --end;
    return Passage{{}, document.id, text.substr(0, border), text.substr(border, end - border)};
}

std::vector<Passage> passages(const engine::Engine& engine, const ReadArguments& args) {
    std::vector<Passage> out;
    for (const std::string& input : args.test) {
        const size_t cut = input.find('=');
        if (cut == std::string::npos || cut == 0)
            throw Error(Status::kArgument, "rpt",
                        "corpus \"" + input + "\": write NAME=FILE, such as books=test.jsonl.zst");
        const std::string path = input.substr(cut + 1);
        const auto lines = train::LineReader::open(path);
        std::string line;
        int64_t taken = 0, number = 0;
        while (taken < args.documents && lines->next(line)) {
            train::CorpusDocument document =
                train::parse_document(line, path + ":" + std::to_string(++number));
            std::optional<Passage> passage = passage_of(engine, document, args);
            if (!passage) continue;
            passage->corpus = input.substr(0, cut);
            out.push_back(std::move(*passage));
            ++taken;
        }
        if (taken == 0)
            throw Error(Status::kArgument, "rpt",
                        "corpus \"" + path + "\": no document has " + std::to_string(args.tokens) +
                            " tokens; give --tokens a smaller number");
    }
    return out;
}

// Sessions that have read a passage's context, by what they read of it: those of ways that differ
// in their questions alone are shared.
class Readers {
  public:
    Readers(std::shared_ptr<const engine::Engine> engine, const Passage& passage,
            uint32_t neighbours)
        : engine_(std::move(engine)), passage_(passage), neighbours_(neighbours) {}

    Tried try_way(uint32_t way) {
        // copying reads nothing before it is asked
        Reader& reader = reader_of(way != 0 ? way : model::kReadCopy);
        Tried tried;
        tried.read_seconds = reader.seconds;
        const auto begin = std::chrono::steady_clock::now();
        const reader::Score score = reader.session->score(passage_.scored, way == 0);
        tried.score_seconds = seconds_since(begin);
        tried.nats = score.nats;
        tried.tokens = score.tokens;
        return tried;
    }

  private:
    struct Reader {
        std::unique_ptr<reader::Session> session;
        double seconds = 0;
    };
    Reader& reader_of(uint32_t reading) {
        Reader& reader = readers_[reading];
        if (reader.session) return reader;
        reader::SessionOptions options;
        options.reading = reading;
        options.retrieve.k = neighbours_;
        reader.session = std::make_unique<reader::Session>(
            engine_, nullptr, std::vector<std::shared_ptr<storage::Space>>{}, options);
        const auto begin = std::chrono::steady_clock::now();
        reader.session->read(passage_.context);
        reader.seconds = seconds_since(begin);
        return reader;
    }

    std::shared_ptr<const engine::Engine> engine_;
    const Passage& passage_;
    uint32_t neighbours_;
    std::map<uint32_t, Reader> readers_;
};

struct CorpusSums {
    std::vector<std::vector<double>> nats;  // by way, by document
    std::vector<int64_t> tokens;
    std::vector<double> seconds;  // by way
};

void report(const std::string& corpus, const CorpusSums& sums, const ReadArguments& args,
            const Common& common) {
    double tokens = 0, base = 0;
    for (const int64_t n : sums.tokens) tokens += static_cast<double>(n);
    for (const double nats : sums.nats[0]) base += nats;
    nlohmann::ordered_json row = {{"corpus", corpus},
                                  {"documents", sums.tokens.size()},
                                  {"tokens", tokens},
                                  {"first", args.ways[0]},
                                  {"nats", base / tokens}};
    if (!common.json)
        std::printf("%s: %zu documents, %.0f tokens, %s %.4f nats a token\n", corpus.c_str(),
                    sums.tokens.size(), tokens, args.ways[0].c_str(), base / tokens);
    for (size_t way = 1; way < args.ways.size(); ++way) {
        const eval::Difference d =
            eval::paired_bootstrap(sums.nats[way], sums.nats[0], sums.tokens, 10000, 1);
        const double time = sums.seconds[way] / sums.seconds[0];
        row[args.ways[way]] = {
            {"difference", d.mean}, {"low", d.low}, {"high", d.high}, {"time", time}};
        if (!common.json)
            std::printf("  %-12s %+.4f [%+.4f, %+.4f]  %.2f times the time\n",
                        args.ways[way].c_str(), d.mean, d.low, d.high, time);
    }
    if (common.json) std::cout << row.dump() << "\n";
    std::fflush(stdout);
}

int run_read(const ReadArguments& args, const Common& common) {
    if (args.first_token >= args.tokens)
        throw Error(Status::kArgument, "rpt", "--first-token must be below --tokens");
    std::vector<uint32_t> ways;
    for (const std::string& names : args.ways) ways.push_back(way_of(names));
    ProgressLine progress(common.quiet);
    const std::shared_ptr<const engine::Engine> engine = engine::open_torch_engine(args.model, {});
    std::map<std::string, CorpusSums> corpora;
    const std::vector<Passage> all = passages(*engine, args);
    for (size_t i = 0; i < all.size(); ++i) {
        CorpusSums& sums = corpora[all[i].corpus];
        sums.nats.resize(ways.size());
        sums.seconds.resize(ways.size());
        uint64_t tokens = 0;
        Readers readers(engine, all[i], args.neighbours);
        for (size_t way = 0; way < ways.size(); ++way) {
            progress.show("document " + std::to_string(i + 1) + " of " +
                          std::to_string(all.size()) + ": " + args.ways[way]);
            const Tried tried = readers.try_way(ways[way]);
            RPT_CHECK(way == 0 || tried.tokens == tokens);
            tokens = tried.tokens;
            sums.nats[way].push_back(tried.nats);
            sums.seconds[way] += tried.read_seconds + tried.score_seconds;
        }
        sums.tokens.push_back(static_cast<int64_t>(tokens));
        if (i + 1 == all.size() || all[i + 1].corpus != all[i].corpus)
            report(all[i].corpus, sums, args, common);
    }
    return kDone;
}

}  // namespace

void add_memory_read_command(CLI::App& group, Common& common) {
    CLI::App* command = group.add_subcommand(
        "read", "Nats a token of sessions that read their own past in several ways");
    const auto args = std::make_shared<ReadArguments>();
    command->add_option("model", args->model, "Model with its memory file beside it")->required();
    command->add_option("--test", args->test, "NAME=FILE: documents, JSON lines")->required();
    command->add_option("--way", args->ways,
                        "none, or cca, copy, upper with commas; again for each way. The others are "
                        "compared with the first");
    command->add_option("--documents", args->documents, "Of each corpus")
        ->check(CLI::Range(1, 100000));
    command->add_option("--tokens", args->tokens, "Of each document")
        ->check(CLI::Range(64, 1 << 20));
    command->add_option("--first-token", args->first_token, "Tokens count from there on");
    command
        ->add_option("--neighbours", args->neighbours, "Chunks that a chunk reads (0: the model's)")
        ->check(CLI::Range(0, 1024));
    command->footer(
        "Example: rpt-lab memory read SmolLM2-135M.gguf --test books=test.jsonl.zst --way none "
        "--way upper,copy");
    command->callback(
        [args, &common] { common.action = [args, &common] { return run_read(*args, common); }; });
}

}  // namespace rpt::lab
