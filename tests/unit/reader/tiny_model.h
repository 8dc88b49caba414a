// A random model of a few kilobytes on disk.
#pragma once

#include <string>

namespace rpt::reader {

void save_tiny_model(const std::string& path);

}  // namespace rpt::reader
