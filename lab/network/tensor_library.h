// What programs say of LibTorch without including it. No torch type stands here.
#pragma once

#include <exception>
#include <string>

namespace rpt::model {

// Version and build facts, several lines.
std::string tensor_library_facts();
// What an exception says; LibTorch's without its backtrace.
std::string message_of(const std::exception& error);

}  // namespace rpt::model
