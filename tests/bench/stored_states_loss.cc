// What stored states cost in held-out loss: the same text is read with retrieved states as they
// were computed, through each codec of the store, and computed from segments with a short left
// context. Prints mean nats a token, the difference to a reference with its 95 % interval over
// documents, and what each way costs (docs/results/stored_states.md).
//
//   stored_states_loss MODEL TEXT.jsonl.zst ... [--tokens N] [--documents N] [--seed N]
//                      [--only codecs|segments] [--against ROW]
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "core/text/tokenizer.h"
#include "core/weights/package.h"
#include "lab/eval/paired_bootstrap.h"
#include "lab/eval/span_neighbours.h"
#include "lab/network/layers.h"
#include "lab/network/retriever.h"
#include "lab/network/rpt_model.h"
#include "lab/train/json_lines.h"
#include "lab/train/neighbour_choice.h"
#include "storage/codec/state_codec.h"

namespace {

using namespace rpt;

constexpr int64_t kShortestSegment = 500, kLongestSegment = 1500;  // tokens
constexpr int64_t kContexts[] = {0, 64, 128, 256, 512};

struct Document {
    std::vector<int32_t> text;
    size_t file = 0;
};

// What a reader may retrieve. A chunk is a neighbour together with the next one.
struct Memory {
    at::Tensor states;         // [chunks, m, d]
    at::Tensor keys;           // [chunks, d]
    std::vector<int64_t> end;  // position of the text that each chunk ends before
    int64_t encoded = 0;       // tokens that the lower half read for it
};

// One document as it is read: x_0 is the beginning of text, then the text, then padding so that
// there are at least as many chunks as any memory of this document has.
class DocumentReader {
  public:
    DocumentReader(const model::RptModel& model, const text::Tokenizer& tokenizer,
                   const std::vector<int32_t>& text)
        : model_(model),
          config_(model.config()),
          tokenizer_(tokenizer),
          text_(text),
          n_(static_cast<int64_t>(text.size())) {
        const int64_t segments = n_ / kShortestSegment + 1;
        std::vector<int64_t> inputs = padded(n_ + (segments + 1) * config_.chunk);
        std::vector<int64_t> targets(inputs.size(), -1);
        for (int64_t p = 0; p < n_; ++p) {
            if (p + 1 < n_) inputs[p + 1] = text[p];
            targets[p] = text[p];
        }
        targets_ = at::tensor(targets).unsqueeze(0);
        low_ = model.lower(at::tensor(inputs).unsqueeze(0));
        chunks_ = low_.states.size(1);
    }

    Memory whole() const {
        Memory memory;
        const int64_t count = n_ / config_.chunk;
        memory.states = low_.states[0].narrow(0, 0, count);
        memory.keys = low_.keys[0].narrow(0, 0, count);
        for (int64_t c = 0; c < count; ++c) memory.end.push_back((c + 1) * config_.chunk);
        memory.encoded = n_;
        return memory;
    }

    // `borders`: where segments begin, then the text's end. Each is encoded by itself after
    // `context` positions, of which the first is the beginning-of-text token; with 0 that token is
    // the first one of the first chunk. Chunks begin at the segment's first token; the last one is
    // padded.
    Memory segmented(const std::vector<int64_t>& borders, int64_t context) const {
        const int64_t m = config_.chunk;
        Memory memory;
        std::vector<at::Tensor> states, keys;
        for (size_t s = 0; s + 1 < borders.size(); ++s) {
            const int64_t begin = borders[s], end = borders[s + 1];
            // whole chunks of context, as far as the text before the segment allows
            const int64_t left = std::min(context, begin + 1) / m * m;
            const int64_t first = std::max<int64_t>(left, 1);  // position of the segment's token
            const int64_t used = first + end - begin;
            std::vector<int64_t> inputs = padded(used);
            for (int64_t p = 1; p < used; ++p) inputs[p] = text_[begin - first + p];
            const model::LowerOutput low = model_.lower(at::tensor(inputs).unsqueeze(0));
            const int64_t from = left / m, count = (used + m - 1) / m - from;
            states.push_back(low.states[0].narrow(0, from, count));
            keys.push_back(low.keys[0].narrow(0, from, count));
            for (int64_t c = from; c < from + count; ++c)
                memory.end.push_back(begin - first + std::min((c + 1) * m, used) + 1);
            memory.encoded += (from + count) * m;
        }
        memory.states = at::cat(states);
        memory.keys = at::cat(keys);
        return memory;
    }

    // Sum over the text.
    double nats(const Memory& memory) const {
        const auto count = static_cast<int64_t>(memory.end.size());
        RPT_CHECK(count <= chunks_);
        const at::Tensor scores =
            (at::mm(low_.queries[0], memory.keys.t()) * model::score_scale(config_)).contiguous();
        eval::Neighbours neighbours(chunks_);
        for (int64_t i = 0; i < chunks_; ++i) {
            // chunk and successor lie before what the pool rule leaves to the attention window
            const int64_t limit = (model::last_retrievable(config_, i) + 2) * config_.chunk;
            int64_t pool = 0;
            while (pool + 1 < count && memory.end[pool + 1] <= limit) ++pool;
            const std::span<const float> row(scores.data_ptr<float>() + i * count,
                                             static_cast<size_t>(count));
            neighbours[i] = train::top_k(row, pool, config_.neighbours);
        }
        model::LowerOutput low = low_;
        low.states = padded_rows(memory.states).unsqueeze(0);
        low.keys = padded_rows(memory.keys).unsqueeze(0);
        return sum_of(model_.upper(
            low, eval::as_tensor(neighbours, config_.neighbours, low.hidden.device())));
    }

    double nats_without_memory() const { return sum_of(model_.upper(low_, {})); }
    int64_t tokens() const { return n_; }

  private:
    // `length` and more positions of padding after the beginning-of-text token.
    std::vector<int64_t> padded(int64_t length) const {
        const int64_t blocks = (length + config_.stride - 1) / config_.stride;
        std::vector<int64_t> inputs(blocks * config_.stride, tokenizer_.pad());
        inputs[0] = tokenizer_.bos();
        return inputs;
    }

    // As many rows as the reader has chunks: the upper half takes no other number.
    at::Tensor padded_rows(const at::Tensor& rows) const {
        std::vector<int64_t> shape = rows.sizes().vec();
        shape[0] = chunks_ - shape[0];
        return at::cat({rows, at::zeros(shape, rows.options())});
    }

    double sum_of(const at::Tensor& hidden) const {
        return model_.token_nll(hidden, targets_).sum(at::kDouble).item<double>();
    }

    const model::RptModel& model_;
    const model::ModelConfig& config_;
    const text::Tokenizer& tokenizer_;
    const std::vector<int32_t>& text_;
    int64_t n_;
    int64_t chunks_ = 0;
    at::Tensor targets_;
    model::LowerOutput low_;
};

// Where segments of random lengths begin, then the text's end. Lengths are multiples of `unit`, but
// for the last one, which may be short.
std::vector<int64_t> draw_borders(int64_t tokens, uint64_t seed, int64_t unit) {
    std::mt19937_64 random(seed);
    std::vector<int64_t> borders{0};
    while (tokens - borders.back() > kLongestSegment) {
        const auto width = static_cast<uint64_t>(kLongestSegment - kShortestSegment + 1);
        const int64_t length = kShortestSegment + static_cast<int64_t>(random() % width);
        borders.push_back(borders.back() + length / unit * unit);
    }
    borders.push_back(tokens);
    return borders;
}

// The memory as a store gives it back: keys in fp16, states through a codec. Adds the bytes of the
// states to `bytes`.
Memory stored(const Memory& memory, storage::StateCodec codec, uint32_t rank, double& bytes) {
    Memory back = memory;
    back.keys = memory.keys.to(at::kHalf).to(at::kFloat);
    back.states = at::empty_like(memory.states);
    const at::Tensor states = memory.states.contiguous();
    const auto m = static_cast<uint32_t>(states.size(1));
    const auto dim = static_cast<uint32_t>(states.size(2));
    const size_t size = size_t(m) * dim;
    for (int64_t c = 0; c < states.size(0); ++c) {
        const std::span<const float> chunk(states.data_ptr<float>() + c * size, size);
        const std::string blob = storage::encode_states(chunk, dim, codec, 0, rank);
        const std::vector<float> decoded = storage::decode_states(blob, dim, m);
        RPT_CHECK(decoded.size() == size);
        std::copy(decoded.begin(), decoded.end(), back.states.data_ptr<float>() + c * size);
        bytes += static_cast<double>(blob.size());
    }
    return back;
}

// One way of making the memory of a document: adds the bytes of its states to the last argument.
using Way = std::function<Memory(const DocumentReader&, uint64_t seed, double& bytes)>;

struct Row {
    std::string name;
    std::string reference;  // the row that it is compared with
    Way make;               // empty: nothing is read
    // of each document
    std::vector<double> nats = {}, bytes = {}, encoded = {};
};

std::vector<Row> codec_rows() {
    using storage::StateCodec;
    std::vector<Row> rows;
    const auto add = [&](const std::string& name, StateCodec codec, uint32_t rank) {
        rows.push_back({name, "fp16", [=](const DocumentReader& reader, uint64_t, double& bytes) {
                            return stored(reader.whole(), codec, rank, bytes);
                        }});
    };
    add("fp16", StateCodec::kFp16, 0);
    add("int8", StateCodec::kInt8, 0);
    add("int4", StateCodec::kInt4, 0);
    for (const uint32_t rank : {8u, 16u, 32u})
        add("low rank " + std::to_string(rank), StateCodec::kLowRank, rank);
    return rows;
}

std::vector<Row> segment_rows(int64_t chunk) {
    std::vector<Row> rows;
    const auto add = [&](const std::string& name, int64_t unit, int64_t context) {
        rows.push_back({name + ", context " + std::to_string(context), "as computed",
                        [=](const DocumentReader& reader, uint64_t seed, double&) {
                            return reader.segmented(draw_borders(reader.tokens(), seed, unit),
                                                    context);
                        }});
    };
    // what another grid of chunks does by itself
    rows.push_back({"one segment, chunks half a chunk later", "as computed",
                    [=](const DocumentReader& reader, uint64_t, double&) {
                        return reader.segmented({chunk / 2, reader.tokens()}, 0);
                    }});
    for (const int64_t context : kContexts) add("segments", 1, context);
    for (const int64_t context : {int64_t(0), int64_t(256)})
        add("segments of whole chunks", chunk, context);
    return rows;
}

// Of the documents of one file, or of all if `file` is `files`. `against`: the row to compare with;
// empty: each row's own.
void print_table(const std::vector<Row>& rows, const std::vector<Document>& documents, size_t file,
                 size_t files, const std::string& against) {
    const auto chosen = [&](const std::vector<double>& of) {
        std::vector<double> values;
        for (size_t d = 0; d < documents.size(); ++d)
            if (file == files || documents[d].file == file) values.push_back(of[d]);
        return values;
    };
    const auto sum = [](const std::vector<double>& values) {
        double total = 0;
        for (const double v : values) total += v;
        return total;
    };
    std::vector<int64_t> tokens;
    for (const Document& document : documents)
        if (file == files || document.file == file)
            tokens.push_back(static_cast<int64_t>(document.text.size()));
    double all = 0;
    for (const int64_t t : tokens) all += static_cast<double>(t);
    std::printf("%zu documents, %.0f tokens\n", tokens.size(), all);
    std::printf(
        "| states | nats a token | difference %% | 95 %% interval | bytes a token | "
        "encoded a token |\n|---|---:|---:|---|---:|---:|\n");
    for (const Row& row : rows) {
        const std::vector<double> nats = chosen(row.nats);
        const std::string& name = against.empty() ? row.reference : against;
        const auto other =
            std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.name == name; });
        const std::vector<double> reference = chosen(other->nats);
        const double base = sum(reference) / all;
        const eval::Difference difference =
            eval::paired_bootstrap(nats, reference, tokens, 10000, 1);
        std::printf("| %s | %.5f | %+.3f | %+.3f to %+.3f | %.1f | %.3f |\n", row.name.c_str(),
                    sum(nats) / all, 100 * difference.mean / base, 100 * difference.low / base,
                    100 * difference.high / base, sum(chosen(row.bytes)) / all,
                    sum(chosen(row.encoded)) / all);
    }
}

// The first `tokens` of each of the first `count` documents.
std::vector<Document> read_documents(const std::string& path, size_t file, int64_t tokens,
                                     size_t count, const text::Tokenizer& tokenizer) {
    std::vector<Document> documents;
    const auto lines = train::LineReader::open(path);
    for (std::string line; documents.size() < count && lines->next(line);) {
        std::string text = train::parse_document(line, path).text;
        // more than enough bytes for so many tokens, cut between characters
        size_t bytes = std::min(text.size(), static_cast<size_t>(tokens) * 16);
        while (bytes < text.size() && (static_cast<uint8_t>(text[bytes]) & 0xc0) == 0x80) --bytes;
        Document document;
        document.file = file;
        for (const text::Token& token : tokenizer.encode(std::string_view(text).substr(0, bytes))) {
            if (static_cast<int64_t>(document.text.size()) == tokens) break;
            document.text.push_back(token.id);
        }
        documents.push_back(std::move(document));
    }
    return documents;
}

int run(int argc, char** argv) {
    std::vector<std::string> paths;
    int64_t n_tokens = 8192;
    size_t n_documents = SIZE_MAX;  // of each file
    uint64_t seed = 1;
    std::string only, against;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument.starts_with("--") && i + 1 < argc) {
            const std::string value = argv[++i];
            if (argument == "--tokens") n_tokens = std::stoll(value);
            if (argument == "--documents") n_documents = std::stoull(value);
            if (argument == "--seed") seed = std::stoull(value);
            if (argument == "--only") only = value;
            if (argument == "--against") against = value;
        } else {
            paths.push_back(argument);
        }
    }
    if (paths.size() < 2) {
        std::fprintf(stderr,
                     "stored_states_loss MODEL TEXT.jsonl.zst ... [--tokens N] [--documents N] "
                     "[--seed N] [--only codecs|segments] [--against ROW]\n");
        return 2;
    }
    at::set_num_threads(1);
    const at::NoGradGuard no_grad;
    const auto package = weights::Package::open(paths[0]);
    const auto tokenizer = text::Tokenizer::from_json(package->tokenizer_json());
    const auto model = model::load_model(*package, at::kCPU);
    const size_t files = paths.size() - 1;
    std::vector<Document> documents;
    for (size_t f = 0; f < files; ++f)
        for (Document& document :
             read_documents(paths[f + 1], f, n_tokens, n_documents, *tokenizer))
            documents.push_back(std::move(document));

    const auto whole = [](const DocumentReader& reader, uint64_t, double& bytes) {
        const Memory memory = reader.whole();
        bytes = 4.0 * static_cast<double>(memory.states.numel());
        return memory;
    };
    std::vector<Row> rows{{"as computed", "as computed", whole}, {"no memory", "as computed", {}}};
    const auto append = [&](std::vector<Row> more) {
        for (Row& row : more) rows.push_back(std::move(row));
    };
    if (only != "segments") append(codec_rows());
    if (only != "codecs") append(segment_rows(model->config().chunk));

    const auto known = [&](const Row& row) { return row.name == against; };
    if (!against.empty() && std::none_of(rows.begin(), rows.end(), known))
        throw Error(Status::kArgument, "rpt", "there is no row \"" + against + "\"");

    const auto begin = std::chrono::steady_clock::now();
    for (size_t d = 0; d < documents.size(); ++d) {
        const DocumentReader reader(*model, *tokenizer, documents[d].text);
        for (Row& row : rows) {
            double bytes = 0, encoded = 0;
            if (row.make) {
                const Memory memory = row.make(reader, seed + d, bytes);
                encoded = static_cast<double>(memory.encoded);
                row.nats.push_back(reader.nats(memory));
            } else {
                row.nats.push_back(reader.nats_without_memory());
            }
            row.bytes.push_back(bytes);
            row.encoded.push_back(encoded);
        }
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        std::fprintf(stderr, "%zu of %zu documents, %.0f s\n", d + 1, documents.size(),
                     took.count());
    }
    for (size_t f = 0; f < files + (files > 1); ++f) {
        std::printf("%s%s: ", f > 0 ? "\n" : "", f < files ? paths[f + 1].c_str() : "all");
        print_table(rows, documents, f, files, against);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "stored_states_loss: %s\n", error.what());
        return 1;
    }
}
