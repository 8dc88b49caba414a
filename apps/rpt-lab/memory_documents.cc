#include "apps/rpt-lab/memory_documents.h"

#include <chrono>
#include <filesystem>

#include "base/error.h"
#include "core/weights/model_file.h"
#include "lab/network/model_weights.h"
#include "lab/train/json_lines.h"

namespace rpt::lab {
namespace {

using memory::DocumentCache;
using Clock = std::chrono::steady_clock;

struct Corpus {
    std::string name, path;
};

Corpus corpus_of(const std::string& input) {
    const size_t cut = input.find('=');
    if (cut == std::string::npos || cut == 0)
        throw Error(Status::kArgument, "rpt",
                    "corpus \"" + input + "\": write NAME=FILE, such as books=train.jsonl.zst");
    return {input.substr(0, cut), input.substr(cut + 1)};
}

// The begin token and `tokens` more; fewer where the text is shorter.
std::vector<int32_t> first_tokens(const text::Tokenizer& tokenizer, const std::string& text,
                                  int64_t tokens) {
    // eight bytes a token are more than enough of them
    std::string begin = text.substr(0, static_cast<size_t>(tokens) * 8);
    while (!begin.empty() && (static_cast<uint8_t>(begin.back()) & 0xC0) == 0x80) begin.pop_back();
    if (!begin.empty() && static_cast<uint8_t>(begin.back()) >= 0xC0) begin.pop_back();
    std::vector<int32_t> ids = {tokenizer.bos()};
    for (const text::Token& token : tokenizer.encode(begin)) {
        if (static_cast<int64_t>(ids.size()) > tokens) break;
        ids.push_back(token.id);
    }
    return ids;
}

struct LongDocument {
    int64_t line;  // of the corpus, from 1
    std::string id;
    std::vector<int32_t> ids;
};

// The first of a corpus that have the tokens asked for; at least one.
std::vector<LongDocument> long_documents(const Corpus& corpus, const text::Tokenizer& tokenizer,
                                         const DocumentRequest& request) {
    std::vector<LongDocument> out;
    const auto lines = train::LineReader::open(corpus.path);
    std::string line;
    int64_t number = 0;
    while (static_cast<int64_t>(out.size()) < request.documents && lines->next(line)) {
        const train::CorpusDocument document =
            train::parse_document(line, corpus.path + ":" + std::to_string(++number));
        if (document.text.size() < static_cast<size_t>(request.tokens) * 2) continue;
        std::vector<int32_t> ids = first_tokens(tokenizer, document.text, request.tokens);
        if (static_cast<int64_t>(ids.size()) <= request.tokens) continue;
        out.push_back({number, document.id, std::move(ids)});
    }
    if (out.empty())
        throw Error(Status::kArgument, "rpt",
                    "corpus \"" + corpus.path + "\": no document has " +
                        std::to_string(request.tokens) + " tokens; give --tokens a smaller number");
    return out;
}

std::string window_of(const FrozenModel& model) {
    return std::to_string(2 * model.network->config().stride);
}

// What must be equal for a kept document to be what would be computed.
std::string maker_of(const FrozenModel& model, const DocumentRequest& request) {
    std::string out = to_hex(model.package->fingerprint()) + " layer " +
                      std::to_string(request.keep.layer) + " window " + window_of(model) +
                      " tokens " + std::to_string(request.tokens);
    if (request.keep.first_scored > 0)
        out += " scored from " + std::to_string(request.keep.first_scored);
    return out + (request.keep.bf16 ? " bf16" : "");
}

std::string file_of(const FrozenModel& model, const DocumentRequest& request, const Corpus& corpus,
                    int64_t line) {
    return request.cache + "/" + corpus.name + "-" +
           std::filesystem::path(corpus.path).filename().string() + "-" + window_of(model) + "-" +
           std::to_string(request.keep.layer) + "-" + std::to_string(line) +
           (request.keep.first_scored > 0 ? "-late" : "") + ".safetensors";
}

// What is known of how long the rest takes.
class Pace {
  public:
    explicit Pace(int64_t documents) : left_(documents) {}
    void read_back() { --left_; }
    void computed(int64_t tokens) {
        --left_;
        ++computed_;
        tokens_ += tokens;
    }
    std::string text() const {
        if (computed_ == 0) return "";
        const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
        char out[80];
        std::snprintf(out, sizeof out, ", %.0f tokens/s, %.0f min left",
                      static_cast<double>(tokens_) / seconds,
                      seconds / static_cast<double>(computed_) * static_cast<double>(left_) / 60);
        return out;
    }

  private:
    Clock::time_point start_ = Clock::now();
    int64_t left_, computed_ = 0, tokens_ = 0;
};

}  // namespace

FrozenModel load_frozen(const std::string& path, int64_t window) {
    FrozenModel out;
    out.package = weights::open_model_alone(path);
    out.network = model::load_model(*out.package, at::kCPU);
    out.tokenizer =
        text::Tokenizer::from_json(out.package->tokenizer_json(), out.package->roles_json());
    return with_window(out, window);
}

FrozenModel with_window(const FrozenModel& model, int64_t window) {
    model::ModelConfig config = model.network->config();
    if (window % (2 * config.chunk) != 0)
        throw Error(Status::kArgument, "rpt",
                    "window of " + std::to_string(window) + " tokens: give a multiple of " +
                        std::to_string(2 * config.chunk) + ", two chunks");
    config.stride = window / 2;
    config.validate();
    return {model.package,
            std::make_unique<model::RptModel>(config, model.network->weights(), at::kCPU),
            model.tokenizer};
}

std::vector<DocumentCache> cached_documents(std::span<const FrozenModel> models,
                                            const DocumentRequest& request,
                                            const std::vector<std::string>& corpora,
                                            ProgressLine& progress) {
    std::error_code made;
    std::filesystem::create_directories(request.cache, made);
    if (made)
        throw Error(Status::kIo, "os",
                    "cannot create \"" + request.cache + "\": " + made.message());
    std::vector<DocumentCache> out;
    Pace pace(request.documents * static_cast<int64_t>(corpora.size()));
    for (const std::string& input : corpora) {
        const Corpus corpus = corpus_of(input);
        const std::vector<LongDocument> documents =
            long_documents(corpus, *models.front().tokenizer, request);
        for (size_t i = 0; i < documents.size(); ++i) {
            const FrozenModel& model = models[i * models.size() / documents.size()];
            const std::string made_by = maker_of(model, request),
                              file = file_of(model, request, corpus, documents[i].line);
            DocumentCache cache;
            if (memory::load_cache(file, made_by, cache)) {
                pace.read_back();
            } else {
                cache = memory::cache_document(*model.network, documents[i].ids, corpus.name,
                                               documents[i].id, request.keep);
                memory::save_cache(cache, made_by, file);
                pace.computed(request.tokens);
            }
            out.push_back(std::move(cache));
            progress.show(corpus.name + ": " + std::to_string(i + 1) + " of " +
                          std::to_string(documents.size()) + " documents" + pace.text());
        }
    }
    return out;
}

}  // namespace rpt::lab
