// A host's conversation, checked and copied.
#pragma once

#include "core/reader/chat_prompt.h"
#include "include/rpt.h"

namespace rpt::capi {

// kArgument, kUnsupported and kUtf8 as rpt_generate_options.chat has it.
reader::ChatRequest read_chat(const rpt_chat* chat);

}  // namespace rpt::capi
