#include "capi/model.h"

#include <algorithm>
#include <cstddef>

#include "capi/guard.h"
#include "capi/records.h"
#include "core/calibration/untrained_memory.h"
#include "core/engine/engine_factory.h"
#include "core/engine/model_cost.h"
#include "core/text/chat_template.h"
#include "core/weights/memory_file.h"
#include "core/weights/model_file.h"
#include "core/weights/model_import.h"

using namespace rpt::capi;
namespace engine = rpt::engine;
namespace weights = rpt::weights;

namespace {

engine::EngineOptions read_model_options(const rpt_model_options* options) {
    const rpt_model_options o = read_options(options, "options");
    check_flags(o.flags, 0, "options.flags");
    check_reserved(o.reserved0, "options");
    if (o.device < RPT_DEVICE_AUTO || o.device > RPT_DEVICE_CUDA || o.dtype < RPT_DTYPE_MODEL ||
        o.dtype > RPT_DTYPE_F16 || o.device_index < 0) {
        throw rpt::Error(rpt::Status::kArgument, "rpt",
                         "model options out of range: device " + std::to_string(o.device) +
                             ", device_index " + std::to_string(o.device_index) + ", dtype " +
                             std::to_string(o.dtype));
    }
    engine::EngineOptions out;
    out.device = static_cast<engine::Device>(o.device);
    out.device_index = o.device_index;
    out.precision = static_cast<engine::Precision>(o.dtype);
    return out;
}

}  // namespace

// The two enumerations are the header's numbers.
static_assert(static_cast<int>(engine::Device::kAuto) == RPT_DEVICE_AUTO);
static_assert(static_cast<int>(engine::Device::kCuda) == RPT_DEVICE_CUDA);
static_assert(static_cast<int>(engine::Precision::kModel) == RPT_DTYPE_MODEL);
static_assert(static_cast<int>(engine::Precision::kF16) == RPT_DTYPE_F16);

rpt_status rpt_model_open(rpt_env* env, const char* path, const rpt_model_options* options,
                          const rpt_call* call, rpt_model** out, rpt_error* err) {
    return guard(err, [&] {
        clear_out(out);
        const EnvironmentRef environment = require(env, "env").environment;
        const std::string file = read_name(path, kMaxPath, "path");
        const engine::EngineOptions choices = read_model_options(options);
        Call control(call, environment->ending());
        EngineRef opened;
        bool untrained = false;
        environment->compute(control, [&] {
            control.control().check();
            const auto package = weights::open_model(file, true, control.control());
            control.control().check();
            opened = engine::open_engine(*package, file, choices);
            untrained = weights::has_untrained_memory(*package);
        });
        *out = new rpt_model(environment, std::move(opened), untrained);
    });
}

rpt_status rpt_model_get_info(const rpt_model* model, rpt_model_info* info, rpt_error* err) {
    return guard(err, [&] {
        const Result<rpt_model_info> result(info, "info", false, offsetof(rpt_model_info, flags));
        const rpt_model& m = require(model, "model");
        const engine::Engine& e = *m.engine;
        const auto& config = e.config();
        rpt_model_info out{};
        out.chunk_tokens = static_cast<uint32_t>(config.chunk);
        out.block_tokens = static_cast<uint32_t>(config.stride);
        out.window_tokens = static_cast<uint32_t>(2 * config.stride);
        out.neighbours = static_cast<uint32_t>(config.neighbours);
        out.key_dim = static_cast<uint32_t>(config.key_width());
        out.vocab_size = static_cast<uint32_t>(config.vocab);
        out.layers = static_cast<uint32_t>(config.layers());
        out.parameters = e.parameters();
        out.weight_bytes = e.weight_bytes();
        out.state_bytes_per_chunk =
            static_cast<uint64_t>(config.chunk * config.dim) * sizeof(float);
        std::copy(e.fingerprint().begin(), e.fingerprint().end(), out.fingerprint);
        if (config.has_retriever()) out.flags |= RPT_MODEL_FILLS_STORES;
        if (m.untrained) out.flags |= RPT_MODEL_UNTRAINED;
        if (e.tokenizer()->expects_nfc()) out.flags |= RPT_MODEL_EXPECTS_NFC;
        if (rpt::text::ChatTemplate(e.chat_template(), *e.tokenizer()).known())
            out.flags |= RPT_MODEL_CHATS;
        result.set(out);
    });
}

rpt_status rpt_model_identify(rpt_env* env, const char* path, const rpt_call* call,
                              uint8_t fingerprint[32], rpt_error* err) {
    return guard(err, [&] {
        const EnvironmentRef environment = require(env, "env").environment;
        const std::string file = read_name(path, kMaxPath, "path");
        if (fingerprint == nullptr) check_record_size(0, sizeof(rpt::Digest), "fingerprint");
        Call control(call, environment->ending());
        rpt::Digest found{};
        environment->access(control, [&] {
            found = weights::open_model(file, false, control.control())->fingerprint();
        });
        std::copy(found.begin(), found.end(), fingerprint);
    });
}

rpt_status rpt_model_import(rpt_env* env, const char* path, const char* out_path,
                            const rpt_call* call, rpt_import_result* result, rpt_error* err) {
    return guard(err, [&] {
        const Result<rpt_import_result> filled(result, "result", true);
        const EnvironmentRef environment = require(env, "env").environment;
        const std::string from = read_name(path, kMaxPath, "path");
        const std::string to = read_name(out_path, kMaxPath, "out_path");
        Call control(call, environment->ending());
        weights::ImportResult done;
        environment->compute(control,
                             [&] { done = weights::import_model(from, to, control.control()); });
        rpt_import_result out{};
        out.layers = static_cast<uint32_t>(done.layers);
        out.parameters = done.parameters;
        out.file_bytes = done.file_bytes;
        std::copy(done.fingerprint.begin(), done.fingerprint.end(), out.fingerprint);
        filled.set(out);
    });
}

rpt_status rpt_model_make_memory(rpt_env* env, const char* path, const char* out_path,
                                 const rpt_call* call, rpt_error* err) {
    return guard(err, [&] {
        const EnvironmentRef environment = require(env, "env").environment;
        const std::string from = read_name(path, kMaxPath, "path");
        const std::string to = read_name(out_path, kMaxPath, "out_path");
        Call control(call, environment->ending());
        environment->compute(control, [&] {
            control.control().check();
            rpt::calibration::write_untrained_memory(from, to, control.control());
        });
    });
}

rpt_status rpt_model_measure(rpt_model* model, const rpt_call* call, rpt_machine_rates* rates,
                             rpt_error* err) {
    return guard(err, [&] {
        const Result<rpt_machine_rates> result(rates, "rates");
        rpt_model& m = require(model, "model");
        const EnvironmentRef environment = m.owner;
        const EngineRef e = m.engine;
        Call control(call, environment->ending());
        rpt_machine_rates out{};
        environment->compute(control, [&] {
            control.control().check();
            const engine::MachineRates measured =
                engine::engine_for(e->config()).measure_machine(e->config());
            out.gemm_flops = measured.gemm_flops;
            out.read_bytes = measured.read_bytes;
            out.lower_flops_per_token = engine::lower_flops_per_token(e->config());
            out.decode_bytes_per_token = engine::decode_bytes_per_token(e->config());
        });
        result.set(out);
    });
}

void rpt_model_close(rpt_model* model) {
    if (model && !model->foreign()) dispose_handle(model);
}
