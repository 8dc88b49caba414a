#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/progress_line.h"
#include "apps/rpt-lab/text_files.h"
#include "base/error.h"
#include "core/text/bpe_trainer.h"
#include "core/text/utf8_gate.h"
#include "lab/train/json_lines.h"

namespace rpt::lab {
namespace {

struct TrainArguments {
    std::vector<std::string> inputs;
    std::string out;
    int32_t vocab = 8192;
    uint64_t max_bytes = 0;  // of each input; 0: all
};

struct CodeArguments {
    std::string tokenizer;
    std::string file = "-";
};

int train_tokenizer(const TrainArguments& args, const Common& common) {
    ProgressLine progress(common.quiet);
    text::BpeTrainer trainer;
    uint64_t bytes = 0, documents = 0;
    for (const std::string& path : args.inputs) {
        const auto lines = train::LineReader::open(path);
        uint64_t taken = 0;
        for (std::string line;
             (args.max_bytes == 0 || taken < args.max_bytes) && lines->next(line);) {
            if (line.empty()) continue;
            std::string text =
                train::parse_document(line, path + ":" + std::to_string(documents + 1)).text;
            if (args.max_bytes > 0 && text.size() > args.max_bytes - taken) {
                text.resize(args.max_bytes - taken);
                text.resize(text::valid_utf8_prefix(text));
                taken = args.max_bytes;
            } else {
                taken += text.size();
            }
            bytes += text.size();
            ++documents;
            trainer.add(text);
            progress.show("counting " + std::to_string(bytes / 1000000) + " MB, " +
                          std::to_string(trainer.n_distinct_pieces()) + " distinct pieces");
        }
    }
    progress.show("merging");
    const auto tokenizer = trainer.train(args.vocab);
    write_file(args.out, tokenizer->to_json());
    const nlohmann::ordered_json result = {{"tokenizer", args.out},
                                           {"vocab", tokenizer->vocab_size()},
                                           {"documents", documents},
                                           {"bytes", bytes},
                                           {"distinct_pieces", trainer.n_distinct_pieces()},
                                           {"sha256", to_hex(tokenizer_digest(*tokenizer))},
                                           {"seconds", progress.seconds()}};
    if (common.json) {
        std::cout << result.dump() << "\n";
    } else {
        std::printf("%s: %d tokens from %llu documents, %.1f MB, in %s\n", args.out.c_str(),
                    tokenizer->vocab_size(), static_cast<unsigned long long>(documents),
                    static_cast<double>(bytes) / 1e6, duration_text(progress.seconds()).c_str());
    }
    return kDone;
}

int encode(const CodeArguments& args, const Common& common) {
    const auto tokenizer = load_tokenizer(args.tokenizer);
    const std::string text = read_file(args.file);
    const size_t valid = text::valid_utf8_prefix(text);
    if (valid != text.size()) {
        throw Error(Status::kUtf8, "rpt",
                    "\"" + args.file + "\" is not valid utf-8 at byte " + std::to_string(valid),
                    static_cast<int64_t>(valid));
    }
    std::vector<int32_t> ids;
    for (const text::Token& token : tokenizer->encode(text)) ids.push_back(token.id);
    if (common.json) {
        std::cout << nlohmann::json{{"ids", ids}}.dump() << "\n";
    } else {
        for (size_t i = 0; i < ids.size(); ++i) std::cout << (i ? " " : "") << ids[i];
        std::cout << "\n";
    }
    return kDone;
}

int decode(const CodeArguments& args) {
    const auto tokenizer = load_tokenizer(args.tokenizer);
    std::istringstream in(read_file(args.file));
    std::vector<int32_t> ids;
    for (int64_t id; in >> id;) {
        if (id < 0 || id >= tokenizer->vocab_size()) {
            throw Error(Status::kArgument, "rpt",
                        "token " + std::to_string(id) + " is outside the vocabulary of " +
                            std::to_string(tokenizer->vocab_size()));
        }
        ids.push_back(static_cast<int32_t>(id));
    }
    if (!in.eof())
        throw Error(Status::kArgument, "rpt", "input holds something that is no token number");
    std::cout << tokenizer->decode(ids);
    return kDone;
}

}  // namespace

void add_tokenizer_command(CLI::App& app, Common& common) {
    CLI::App* tokenizer =
        app.add_subcommand("tokenizer", "Train and use byte-level BPE tokenizers");
    tokenizer->require_subcommand(1);

    CLI::App* train = tokenizer->add_subcommand("train", "Learn a vocabulary from JSON lines");
    const auto train_args = std::make_shared<TrainArguments>();
    train->add_option("inputs", train_args->inputs, ".jsonl or .jsonl.zst files")->required();
    train->add_option("--out", train_args->out, "Tokenizer JSON to write")->required();
    train
        ->add_option("--vocab", train_args->vocab,
                     "Size of the vocabulary, special tokens included")
        ->capture_default_str();
    train
        ->add_option("--max-bytes", train_args->max_bytes,
                     "Text taken from each input, such as 15MB; 0: all")
        ->transform(CLI::AsSizeValue(true));
    train->footer(
        "Example: rpt-lab tokenizer train books.jsonl.zst --vocab 8192 --out tokenizer.json");
    train->callback([train_args, &common] {
        common.action = [train_args, &common] { return train_tokenizer(*train_args, common); };
    });

    CLI::App* enc = tokenizer->add_subcommand("encode", "Turn text into token numbers");
    const auto enc_args = std::make_shared<CodeArguments>();
    enc->add_option("file", enc_args->file, "UTF-8 text, - for standard input");
    enc->add_option("--tokenizer", enc_args->tokenizer, "Tokenizer JSON")->required();
    enc->footer("Example: echo hello | rpt-lab tokenizer encode --tokenizer tokenizer.json");
    enc->callback([enc_args, &common] {
        common.action = [enc_args, &common] { return encode(*enc_args, common); };
    });

    CLI::App* dec = tokenizer->add_subcommand("decode", "Turn token numbers into text");
    const auto dec_args = std::make_shared<CodeArguments>();
    dec->add_option("file", dec_args->file, "Numbers parted by white space, - for standard input");
    dec->add_option("--tokenizer", dec_args->tokenizer, "Tokenizer JSON")->required();
    dec->footer("Example: echo 72 105 | rpt-lab tokenizer decode --tokenizer tokenizer.json");
    dec->callback(
        [dec_args, &common] { common.action = [dec_args] { return decode(*dec_args); }; });
}

}  // namespace rpt::lab
