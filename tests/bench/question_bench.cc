// What it costs or is worth that a continuation asks the memory with its last line too and not with
// its last whole chunk alone. Documents are cut at places all over a chunk; the tokens from
// there to the chunk's end are predicted with neighbours of the document's own past that are found
// in either way, and with none. Prints mean nats a token by how much of the chunk stands before the
// cut, and the difference with its 95 % interval over documents.
//
//   question_bench MODEL TEXT.jsonl.zst ... [--tokens N] [--documents N] [--neighbours K]
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "core/reader/chunk_feeder.h"
#include "core/reader/text_query.h"
#include "lab/engine/torch_factory.h"
#include "lab/eval/paired_bootstrap.h"
#include "lab/train/json_lines.h"

namespace {

using namespace rpt;

constexpr size_t kCuts = 4;  // places in a chunk: an eighth, three, five and seven eighths of it

enum Way { kChunk, kBoth, kNone, kWays };

// Of one document, by place of the cut.
struct Losses {
    double nats[kCuts][kWays] = {};
    int64_t tokens[kCuts] = {};
};

class CutReader {
  public:
    CutReader(const engine::Engine& engine, size_t neighbours)
        : engine_(engine),
          m_(size_t(engine.config().chunk)),
          logits_(size_t(engine.config().vocab)) {
        retrieve_.k = uint32_t(neighbours);
    }

    Losses read(std::string_view text, size_t limit) {
        reader::Sequence sequence(engine_.tokenizer()->bos());
        for (const text::Token& token : engine_.tokenizer()->encode(text)) {
            if (sequence.size() == limit) break;
            sequence.text += text.substr(sequence.end(), token.size);
            sequence.push(token.id, token.size);
        }
        reader::OwnPast own(size_t(engine_.config().key_width()),
                            engine_.config().key_features > 0);
        const reader::ChunkFeeder feeder(engine_, nullptr, {}, &own);
        const auto stream = engine_.new_stream();
        Losses losses;
        for (size_t chunk = 0; (chunk + 2) * m_ < sequence.size(); ++chunk) {
            const size_t cut = chunk % kCuts;
            // nothing to find before: all ways would be the same
            if (model::last_retrievable(engine_.config(), int64_t(chunk)) >= 0)
                read_cut(*stream, feeder, own, sequence, chunk, cut, losses);
            feeder.advance_lower(*stream, sequence, (chunk + 1) * m_, {&retrieve_}, {});
            stream->advance_upper(logits_);
        }
        return losses;
    }

  private:
    // Query of what stands at the end of the first n tokens.
    std::vector<float> question_of(reader::Sequence sequence, size_t n) const {
        sequence.truncate(n, size_t(sequence.end_of(n - 1)));
        return reader::recent_query(engine_, sequence.ids(),
                                    reader::question_tokens(engine_.config(), sequence), {});
    }

    // `stream` stands at the begin of the last whole chunk.
    void read_cut(const engine::Stream& stream, const reader::ChunkFeeder& feeder,
                  reader::OwnPast& own, const reader::Sequence& sequence, size_t chunk, size_t cut,
                  Losses& losses) {
        const size_t n = (chunk + 1) * m_ + (2 * cut + 1) * m_ / (2 * kCuts);  // tokens before it
        const size_t end = (chunk + 2) * m_;
        for (int way = 0; way < kWays; ++way) {
            reader::MemoryUse use{way == kNone ? nullptr : &retrieve_};
            if (way == kBoth) use.question = {(chunk + 1) * m_, question_of(sequence, n)};
            const auto copy = stream.fork();
            while (copy->position() < n - 1) {
                feeder.advance_lower(*copy, sequence, n - 1, use, {});
                copy->advance_upper(logits_);
            }
            while (copy->position() < end - 1) {
                const auto piece = feeder.advance_lower(*copy, sequence, end - 1, use, {});
                std::vector<float> log_probs(piece.end - piece.begin);
                copy->advance_upper_scored(
                    sequence.ids().subspan(piece.begin + 1, log_probs.size()), log_probs, logits_);
                for (const float p : log_probs) losses.nats[cut][way] -= p;
            }
            own.truncate(chunk);
        }
        losses.tokens[cut] += int64_t(end - n);
    }

    const engine::Engine& engine_;
    size_t m_;
    std::vector<float> logits_;
    reader::RetrieveOptions retrieve_;
};

void print_row(const std::string& name, const std::vector<Losses>& documents, size_t first,
               size_t last) {
    std::vector<double> nats[kWays];
    std::vector<int64_t> tokens;
    for (const Losses& losses : documents) {
        double sums[kWays] = {};
        int64_t count = 0;
        for (size_t cut = first; cut <= last; ++cut) {
            for (int way = 0; way < kWays; ++way) sums[way] += losses.nats[cut][way];
            count += losses.tokens[cut];
        }
        if (count == 0) continue;
        for (int way = 0; way < kWays; ++way) nats[way].push_back(sums[way]);
        tokens.push_back(count);
    }
    double all = 0, mean[kWays] = {};
    for (size_t d = 0; d < tokens.size(); ++d) {
        all += double(tokens[d]);
        for (int way = 0; way < kWays; ++way) mean[way] += nats[way][d];
    }
    const eval::Difference difference =
        eval::paired_bootstrap(nats[kBoth], nats[kChunk], tokens, 10000, 1);
    std::printf("| %s | %.0f | %.4f | %.4f | %.4f | %+.4f | %+.4f to %+.4f |\n", name.c_str(), all,
                mean[kNone] / all, mean[kChunk] / all, mean[kBoth] / all, difference.mean,
                difference.low, difference.high);
}

int run(int argc, char** argv) {
    std::vector<std::string> paths;
    size_t n_tokens = 8192, n_documents = SIZE_MAX, neighbours = 8;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument.starts_with("--") && i + 1 < argc) {
            const std::string value = argv[++i];
            if (argument == "--tokens") n_tokens = std::stoull(value);
            if (argument == "--documents") n_documents = std::stoull(value);
            if (argument == "--neighbours") neighbours = std::stoull(value);
        } else {
            paths.push_back(argument);
        }
    }
    if (paths.size() < 2) {
        std::fprintf(stderr,
                     "question_bench MODEL TEXT.jsonl.zst ... [--tokens N] "
                     "[--documents N] [--neighbours K]\n");
        return 2;
    }
    const auto engine = engine::open_torch_engine(paths[0], {});
    CutReader reader(*engine, neighbours);
    std::vector<Losses> documents;
    for (size_t f = 1; f < paths.size(); ++f) {
        const auto lines = train::LineReader::open(paths[f]);
        size_t read = 0;
        for (std::string line; read < n_documents && lines->next(line); ++read) {
            std::string text = train::parse_document(line, paths[f]).text;
            size_t bytes = std::min(text.size(), n_tokens * 16);
            while (bytes < text.size() && (uint8_t(text[bytes]) & 0xC0) == 0x80) --bytes;
            documents.push_back(reader.read(std::string_view(text).substr(0, bytes), n_tokens));
        }
    }
    std::printf(
        "%zu documents\n| before the cut | tokens | none | chunk alone | question too | "
        "difference | 95 %% interval |\n|---|---:|---:|---:|---:|---:|---|\n",
        documents.size());
    for (size_t cut = 0; cut < kCuts; ++cut)
        print_row(std::to_string(2 * cut + 1) + "/8 of a chunk", documents, cut, cut);
    print_row("all", documents, 0, kCuts - 1);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "question_bench: %s\n", error.what());
        return 1;
    }
}
