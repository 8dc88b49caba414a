// What a model writes, as it comes.
#pragma once

#include <cstdint>
#include <string_view>

namespace rpt::cli {

// To stdout at once. A model may write control characters: a terminal must not obey them, a pipe
// gets every byte. False if nobody reads any more.
bool write_generated(std::string_view text, bool on_terminal);

// Why a text ended (RPT_FINISH_*): "stop", "eos", "length", "host" or "none".
const char* finish_name(int32_t finish);

}  // namespace rpt::cli
