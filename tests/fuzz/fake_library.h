// The C interface over a fake engine: what a target of calls works with.
#pragma once

#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "core/engine/engine_factory.h"
#include "core/text/utf8_gate.h"
#include "core/weights/package.h"
#include "core/weights/package_writer.h"
#include "include/rpt.h"
#include "tests/fakes/fake_engine.h"
#include "tests/fuzz/finding.h"
#include "tests/fuzz/scratch_folder.h"

namespace rpt::fuzz {

// The only engine of the process; the interface opens it for whatever package it is given.
inline const std::shared_ptr<const fakes::FakeEngine>& fake_engine() {
    static const auto* made =
        new std::shared_ptr<const fakes::FakeEngine>(std::make_shared<fakes::FakeEngine>());
    return *made;
}

class FakeFactory final : public engine::EngineFactory {
  public:
    std::string_view name() const override { return "fake"; }
    std::string refusal(const model::ModelConfig&, const engine::EngineOptions&) const override {
        return {};
    }
    std::shared_ptr<const engine::Engine> open(const weights::Package&,
                                               const engine::EngineOptions&) const override {
        return fake_engine();
    }
    void set_compute_threads(int) const override {}
    engine::MachineRates measure_machine(const model::ModelConfig&) const override { return {}; }
};

// A status with its record of the error.
class Outcome {
  public:
    rpt_error* record() { return &error_; }
    // Every call's answer comes through here.
    rpt_status of(rpt_status status) {
        if (status == RPT_ERR_INTERNAL) report("a check of our own code failed", error_.message);
        if (status != RPT_OK) {
            expect(error_.status == status, "status and record differ");
            const size_t size = ::strnlen(error_.message, sizeof error_.message);
            expect(size > 0 && size < sizeof error_.message, "a failure without a message");
            const std::string_view message(error_.message, size);
            expect(text::valid_utf8_prefix(message) == size, "a message that is no UTF-8");
            expect(message.find('\n') == std::string_view::npos, "a message of two lines");
        }
        return status_ = status;
    }
    void expect_ok(const char* what) const {
        if (status_ != RPT_OK) report(what, error_.message);
    }
    rpt_status status() const { return status_; }
    int64_t offset() const { return error_.offset; }

  private:
    rpt_error error_ = RPT_ERROR_INIT;
    rpt_status status_ = RPT_OK;
};

// An environment, a model and an empty store to copy, for the whole run of a target.
class Library {
  public:
    Library() {
        const fakes::FakeEngine& engine = *fake_engine();
        const float zero = 0;
        const std::string package = folder_.path("model.safetensors");
        weights::write_package(
            package, {{"zero", {weights::DType::kF32, {1}, std::as_bytes(std::span(&zero, 1))}}},
            {{"config", engine.config().to_json()}, {"tokenizer", engine.tokenizer()->to_json()}});
        Outcome outcome;
        must(outcome.of(rpt_env_open(nullptr, &env_, outcome.record())));
        must(outcome.of(
            rpt_model_open(env_, package.c_str(), nullptr, nullptr, &model_, outcome.record())));
        rpt_store* store = open(folder_.path("empty"), true);
        must(outcome.of(rpt_store_close(store, outcome.record())));
    }
    ~Library() {
        rpt_model_close(model_);
        rpt_env_close(env_);
    }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    static void must(rpt_status status) {
        expect(status == RPT_OK, "a call that cannot fail failed");
    }

    // A store of its own for each input, so that what an input does depends on nothing before it.
    std::string fresh_store() const {
        const std::string path = folder_.path("store");
        std::filesystem::remove_all(path);
        std::filesystem::copy(folder_.path("empty"), path,
                              std::filesystem::copy_options::recursive);
        return path;
    }
    rpt_store* open(const std::string& path, bool create = false) const {
        rpt_store_options options = RPT_STORE_OPTIONS_INIT;
        options.model = model_;
        options.durability = RPT_DURABLE_NONE;
        options.flags = create ? RPT_STORE_CREATE : 0u;
        rpt_store* store = nullptr;
        Outcome outcome;
        must(outcome.of(rpt_store_open(env_, path.c_str(), &options, &store, outcome.record())));
        return store;
    }

  private:
    ScratchFolder folder_;
    rpt_env* env_ = nullptr;
    rpt_model* model_ = nullptr;
};

}  // namespace rpt::fuzz
