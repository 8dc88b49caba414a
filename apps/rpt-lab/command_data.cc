#include <cstdio>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/progress_line.h"
#include "apps/rpt-lab/text_files.h"
#include "base/error.h"
#include "core/text/utf8_gate.h"
#include "lab/train/json_lines.h"
#include "lab/train/shard.h"

namespace rpt::lab {
namespace {

struct PrepareArguments {
    std::vector<std::string> inputs;  // PATH or NAME=PATH
    std::string tokenizer;
    std::string out;
    uint64_t max_documents = 0;  // of each input; 0: all
    uint64_t max_bytes = 0;
    bool split_files = false;
};

struct NamedInput {
    std::string name;
    std::string path;
};

// "math=corpus/train.jsonl" names its collection; a bare path is named after its file.
NamedInput parse_input(const std::string& text) {
    const size_t equal = text.find('=');
    if (equal != std::string::npos && text.find('/') > equal)
        return {text.substr(0, equal), text.substr(equal + 1)};
    const size_t slash = text.find_last_of('/');
    std::string name = text.substr(slash == std::string::npos ? 0 : slash + 1);
    return {name.substr(0, name.find('.')), text};
}

void add_document(const train::CorpusDocument& document, const std::string& input,
                  const text::Tokenizer& tokenizer, train::ShardWriter& writer) {
    const size_t valid = text::valid_utf8_prefix(document.text);
    if (valid != document.text.size()) {
        throw Error(
            Status::kUtf8, "rpt",
            "document \"" + document.id + "\" is not valid utf-8 at byte " + std::to_string(valid),
            static_cast<int64_t>(valid));
    }
    std::vector<int32_t> ids;
    for (const text::Token& token : tokenizer.encode(document.text)) ids.push_back(token.id);
    ids.push_back(tokenizer.eos());
    writer.add({document.id, document.collection.empty() ? input : document.collection,
                document.source, 0, 0, document.text.size()},
               ids);
}

int prepare(const PrepareArguments& args, const Common& common) {
    ProgressLine progress(common.quiet);
    const auto tokenizer = load_tokenizer(args.tokenizer);
    const train::ShardVocabulary vocabulary{static_cast<uint32_t>(tokenizer->vocab_size()),
                                            tokenizer->bos(),
                                            tokenizer->eos(),
                                            tokenizer->pad(),
                                            tokenizer_digest(*tokenizer),
                                            tokenizer->special("<|fim_prefix|>"),
                                            tokenizer->special("<|fim_suffix|>"),
                                            tokenizer->special("<|fim_middle|>")};
    train::ShardWriter writer(args.out, vocabulary);
    uint64_t bytes = 0;
    for (const std::string& input_text : args.inputs) {
        const NamedInput input = parse_input(input_text);
        const auto lines = train::LineReader::open(input.path);
        uint64_t documents = 0, taken = 0, line_number = 0;
        std::string line;
        while ((args.max_documents == 0 || documents < args.max_documents) &&
               (args.max_bytes == 0 || taken < args.max_bytes) && lines->next(line)) {
            ++line_number;
            if (line.empty()) continue;
            const std::string name = input.path + ":" + std::to_string(line_number);
            std::vector<train::CorpusDocument> parts;
            if (args.split_files) {
                parts = train::parse_files(line, name);
            } else {
                parts.push_back(train::parse_document(line, name));
            }
            for (const train::CorpusDocument& document : parts) {
                if (args.max_documents != 0 && documents == args.max_documents) break;
                add_document(document, input.name, *tokenizer, writer);
                ++documents;
                taken += document.text.size();
                bytes += document.text.size();
            }
            char text[120];
            std::snprintf(text, sizeof text, "%zu documents, %.1f MB, %.2f M tokens, %.1f MB/s",
                          writer.documents(), static_cast<double>(bytes) / 1e6,
                          static_cast<double>(writer.tokens()) / 1e6,
                          static_cast<double>(bytes) / 1e6 / progress.seconds());
            progress.show(text);
        }
    }
    writer.finish();
    if (common.json) {
        std::cout << nlohmann::ordered_json{{"shard", args.out},
                                            {"documents", writer.documents()},
                                            {"tokens", writer.tokens()},
                                            {"bytes", bytes},
                                            {"seconds", progress.seconds()}}
                         .dump()
                  << "\n";
    } else {
        std::printf("%s: %zu documents, %.1f MB, %.2f M tokens, %.2f bytes a token, in %s\n",
                    args.out.c_str(), writer.documents(), static_cast<double>(bytes) / 1e6,
                    static_cast<double>(writer.tokens()) / 1e6,
                    static_cast<double>(bytes) /
                        static_cast<double>(std::max<uint64_t>(1, writer.tokens())),
                    duration_text(progress.seconds()).c_str());
    }
    return kDone;
}

}  // namespace

void add_data_command(CLI::App& app, Common& common) {
    CLI::App* data = app.add_subcommand("data", "Make token shards");
    data->require_subcommand(1);
    CLI::App* command = data->add_subcommand("prepare", "Make a token shard of JSON lines");
    const auto args = std::make_shared<PrepareArguments>();
    command->add_option("inputs", args->inputs, "PATH or COLLECTION=PATH, .jsonl or .jsonl.zst")
        ->required();
    command->add_option("--tokenizer", args->tokenizer, "Tokenizer JSON")->required();
    command->add_option("--out", args->out, "Shard to write; its index is written beside it")
        ->required();
    command->add_option("--max-documents", args->max_documents,
                        "Documents taken from each input; 0: all");
    command
        ->add_option("--max-bytes", args->max_bytes,
                     "Text taken from each input, such as 100MB; 0: all")
        ->transform(CLI::AsSizeValue(true));
    command->add_flag("--split-files", args->split_files,
                      "One document for each of a line's files; the line is their collection");
    command->footer(
        "Example: rpt-lab data prepare math=train.jsonl.zst --tokenizer tokenizer.json --out "
        "math.shard");
    command->callback(
        [args, &common] { common.action = [args, &common] { return prepare(*args, common); }; });
}

}  // namespace rpt::lab
