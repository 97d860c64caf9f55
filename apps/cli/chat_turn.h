// One turn of a chat on a session: only what the session does not hold yet is evaluated.
#pragma once

#include "chat_conversation.h"

#include <handloom/handloom.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace cli {

/// The special token that the template puts after an assistant's answer, such as <|im_end|>: it
/// ends an answer even where the model's configuration does not name it. Absent if there is none.
std::optional<uint32_t> end_of_turn_id(const handloom::Tokenizer& tokenizer);

/// Throws Failure, with the template's own words, if it refuses a system prompt; answers false if
/// it leaves it out.
bool takes_system_prompt(const handloom::Tokenizer& tokenizer, const std::string& system);

/// What a turn did.
struct TurnFigures {
  uint32_t n_prompt = 0;  // tokens of the whole prompt, those that the session held included
  handloom::Timings timings;
  uint32_t n_reused() const { return n_prompt - timings.n_prompt; }
};

struct Answer {
  handloom::Generation generation;
  TurnFigures figures;
};

/// Makes the session hold `ids` and answers them. The error leaves the session empty.
handloom::Result<Answer> answer_turn(handloom::Session& session, std::span<const uint32_t> ids,
                                     const handloom::GenerateOptions& options);

/// "prompt 58 tokens: 45 reused, 13 evaluated 310 tok/s | 24 tokens 64.1 tok/s | 0.90 GB/s |
/// context 82 of 512"
std::string turn_line(const TurnFigures& figures, uint32_t n_held, uint32_t context);

}  // namespace cli
