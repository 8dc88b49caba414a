// A session over a fake engine and a store with two documents of several segments.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/reader/document_writer.h"
#include "core/reader/session.h"
#include "tests/fakes/fake_engine.h"
#include "tests/fakes/watched_store.h"

namespace rpt::reader {

struct Told {
    std::string text;
    struct Hits {
        uint64_t at_token;
        size_t text_before;
        std::vector<RetrievedChunk> chunks;
    };
    std::vector<Hits> hits;
    std::vector<std::string> pieces;
};

class SessionFixture : public testing::Test {
  protected:
    void SetUp() override {
        write("a",
              "the chunk of the document reads what the reader wrote; the window moves on and on, "
              "1 2 3 4 5.");
        write("b",
              "for (int i = 0; i < n; ++i) return i; \\begin{align} x &= y \\\\ \\end{align} and "
              "so on.");
    }
    void write(const std::string& key, const std::string& text) {
        storage::DocumentSpec spec;
        spec.key = key;
        DocumentWriter writer(engine_, space_, spec, text::Utf8Gate::Mode::kRefuse,
                              store_->model().context_tokens, fakes::kSmallBorders);
        writer.append(text);
        writer.finish();
    }
    std::unique_ptr<Session> session(const SessionOptions& options = {}) {
        return std::make_unique<Session>(
            engine_, store_, std::vector<std::shared_ptr<storage::Space>>{space_}, options);
    }
    std::unique_ptr<Session> session_after(std::string_view text) {
        auto out = session();
        out->read(text);
        return out;
    }
    static GenerateOptions greedy(uint32_t max_tokens) {
        GenerateOptions options;
        options.max_tokens = max_tokens;
        return options;
    }
    static GenerateSink into(Told& told) {
        return [&told](const GenerateEvent& event) {
            if (event.type == GenerateEvent::Type::kText) {
                told.text += event.text;
                told.pieces.emplace_back(event.text);
            } else {
                told.hits.push_back({event.at_token, told.text.size(), *event.hits});
            }
            return 0;
        };
    }
    static std::string generate(Session& from, uint32_t n) {
        Told told;
        from.generate(greedy(n), into(told));
        return told.text;
    }
    // Everything that a session can be asked, as one comparable text.
    static std::string fingerprint(Session& of) {
        std::ostringstream out;
        const Score score = of.score(" the window moves on", false);
        out << of.offset() << " " << score.nats << " " << score.tokens;
        for (const RetrievedChunk& chunk : of.retrieve({}))
            out << " " << chunk.own << ":" << chunk.info.chunk_id << ":" << chunk.info.ordinal
                << ":" << chunk.score;
        out << " " << generate(of, 40);
        return out.str();
    }
    static Status status_of(const std::function<void()>& call) {
        try {
            call();
        } catch (const Error& error) {
            return error.status();
        }
        return Status::kOk;
    }
    // Continues `prompt` with exactly `text`, then the end.
    void script(const std::string& prompt, const std::string& text) {
        std::vector<int32_t> ids{engine_->tokenizer()->bos()};
        for (const text::Token& token : engine_->tokenizer()->encode(prompt))
            ids.push_back(token.id);
        const size_t n_prompt = ids.size();
        std::vector<int32_t> out;
        for (const text::Token& token : engine_->tokenizer()->encode(text)) out.push_back(token.id);
        script_tokens(n_prompt, out);
    }
    void script_tokens(size_t n_prompt, std::vector<int32_t> out) {
        out.push_back(engine_->tokenizer()->eos());
        engine_->script = [n_prompt, out](std::span<const int32_t> tokens) {
            return tokens.size() < n_prompt || tokens.size() - n_prompt >= out.size()
                       ? -1
                       : out[tokens.size() - n_prompt];
        };
    }

    std::shared_ptr<fakes::FakeEngine> engine_ = std::make_shared<fakes::FakeEngine>();
    std::shared_ptr<fakes::WatchedStore> store_ = std::make_shared<fakes::WatchedStore>(*engine_);
    std::shared_ptr<storage::Space> space_ = store_->open_space("o", "c", true);
};

inline std::string long_text() {
    std::string text;
    for (int i = 0; i < 12; ++i)
        text += "the reader " + std::to_string(i * i) + " reads the chunk " + std::to_string(i) +
                "; gr\xC3\xBC\xC3\x9F"
                "e \xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E and the window moves on. ";
    return text;
}

}  // namespace rpt::reader
