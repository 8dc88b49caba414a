#include "lab/network/tensor_library.h"

#include <ATen/ATen.h>
#include <ATen/Version.h>

namespace rpt::model {

std::string tensor_library_facts() {
    return at::show_config();
}

std::string message_of(const std::exception& error) {
    if (const auto* torch = dynamic_cast<const c10::Error*>(&error))
        return std::string("tensor library: ") + torch->what_without_backtrace();
    return error.what();
}

}  // namespace rpt::model
