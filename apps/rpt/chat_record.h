// What a talk shows of its turns, notes and answers: as JSON and for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/rpt/chat_answer.h"

namespace rpt::cli {

nlohmann::ordered_json turn_json(const Turn& turn);
nlohmann::ordered_json notes_json(const std::vector<Note>& notes);
nlohmann::ordered_json answer_json(const Answer& answer, const std::vector<Note>& notes);
// `2026-11-30 18:00:05Z  user  "first line"`
std::string turn_line(const Turn& turn);

}  // namespace rpt::cli
