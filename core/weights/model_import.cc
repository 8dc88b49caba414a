#include "core/weights/model_import.h"

#include "base/input_file.h"
#include "core/weights/model_file.h"
#include "core/weights/package_config.h"
#include "core/weights/package_writer.h"

namespace rpt::weights {
namespace {

// Progress of the first or the second half of the work.
CallControl half_of(const CallControl& control, bool second) {
    return {nullptr, 0, [&control, second](uint64_t done, uint64_t total) {
                control.report(second ? total + done : done, 2 * total);
                return true;
            }};
}

}  // namespace

ImportResult import_model(const std::string& path, const std::string& out,
                          const CallControl& control) {
    control.check();
    const auto model = open_model_alone(path, true, half_of(control, false));
    ImportResult result;
    result.layers = config_of(*model).layers();  // also: it can be read
    result.fingerprint = model->fingerprint();
    for (const auto& [name, info] : model->tensors()) {
        uint64_t numbers = 1;
        for (const int64_t size : info.shape) numbers *= uint64_t(size);
        result.parameters += numbers;
    }
    write_package(out, *model, half_of(control, true));
    result.file_bytes = InputFile(out).size();
    return result;
}

}  // namespace rpt::weights
