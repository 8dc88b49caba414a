// In the place of the commands that run sessions, where the laboratory is built alone.
#include "apps/rpt-lab/commands.h"

namespace rpt::lab {

void add_memory_read_command(CLI::App& /*group*/, Common& /*common*/) {}

}  // namespace rpt::lab
