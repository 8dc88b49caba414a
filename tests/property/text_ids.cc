// Prints token ids for text_tokenizers_reference.py.
//   text_ids train VOCAB_SIZE TEXTS OUT.json   one document a record
//   text_ids encode TOKENIZER.json TEXTS       ids of each record on a line of its own
// A file of texts holds records: the size in bytes as a decimal line, then the bytes.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/text/bpe_trainer.h"

namespace {

std::string read_file(const char* path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> read_texts(const char* path) {
    const std::string all = read_file(path);
    std::vector<std::string> texts;
    for (size_t at = 0; at < all.size();) {
        const size_t line = all.find('\n', at);
        const size_t size = std::stoul(all.substr(at, line - at));
        texts.push_back(all.substr(line + 1, size));
        at = line + 1 + size;
    }
    return texts;
}

int run(int argc, char** argv) {
    const std::string verb = argc > 1 ? argv[1] : "";
    if (verb == "train" && argc == 5) {
        rpt::text::BpeTrainer trainer;
        for (const std::string& text : read_texts(argv[3])) trainer.add(text);
        std::ofstream(argv[4], std::ios::binary) << trainer.train(std::atoi(argv[2]))->to_json();
        return 0;
    }
    if (verb == "encode" && argc == 4) {
        const auto tokenizer = rpt::text::Tokenizer::from_json(read_file(argv[2]));
        for (const std::string& text : read_texts(argv[3])) {
            for (const rpt::text::Token& token : tokenizer->encode(text))
                std::printf("%d ", token.id);
            std::printf("\n");
        }
        return 0;
    }
    std::fprintf(stderr, "usage: text_ids train SIZE TEXTS OUT | encode TOKENIZER TEXTS\n");
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "text_ids: %s\n", error.what());
        return 1;
    }
}
