#include "chat_turn.h"

#include "chat_template.h"
#include "failure.h"
#include "figures.h"
#include "print.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace cli {
namespace {

/// An answer that no template says by itself.
constexpr std::string_view kMarkedAnswer = "handloom-marks-this-answer";

nlohmann::ordered_json chat_of(const std::string& system, std::string_view answer) {
  Conversation conversation{.system = system};
  nlohmann::ordered_json messages = chat_messages(conversation, "Hello");
  if (!answer.empty()) {
    messages.push_back({{"role", "assistant"}, {"content", std::string(answer)}});
  }
  return messages;
}

}  // namespace

std::optional<uint32_t> end_of_turn_id(const handloom::Tokenizer& tokenizer) {
  std::string text;
  try {
    text = render_chat(tokenizer.chat_template(), chat_of("", kMarkedAnswer), false);
  } catch (const Failure&) {
    return std::nullopt;  // a template that says nothing of ends; what is wrong, the first turn
                          // says
  }
  const size_t answer = text.rfind(kMarkedAnswer);
  if (answer == std::string::npos) return std::nullopt;
  const size_t end = text.find_first_not_of(" \n", answer + kMarkedAnswer.size());
  if (end == std::string::npos) return std::nullopt;
  const auto ids = take(tokenizer.encode(std::string_view(text).substr(end), false));
  if (ids.empty()) return std::nullopt;
  const auto pieces = take(tokenizer.pieces(std::span(ids).first(1)));
  return pieces[0].special ? std::optional(ids[0]) : std::nullopt;
}

bool takes_system_prompt(const handloom::Tokenizer& tokenizer, const std::string& system) {
  const handloom::ChatTemplate& chat_template = tokenizer.chat_template();
  const std::string without = render_chat(chat_template, chat_of("", ""), true);
  try {
    return render_chat(chat_template, chat_of(system, ""), true) != without;
  } catch (const Failure& failure) {
    throw Failure(
        fmt::format("{}; this model's template takes no system prompt, expected a chat "
                    "without one",
                    failure.what()));
  }
}

handloom::Result<Answer> answer_turn(handloom::Session& session, std::span<const uint32_t> ids,
                                     const handloom::GenerateOptions& options) {
  // At least one token must be evaluated to know what follows it.
  const size_t n_kept = std::min(common_prefix(session.ids(), ids), ids.size() - 1);
  Answer answer{.figures = {.n_prompt = static_cast<uint32_t>(ids.size())}};
  auto kept = session.rewind(static_cast<uint32_t>(n_kept));
  if (!kept) return std::unexpected(std::move(kept.error()));
  auto generation = session.generate(ids.subspan(n_kept), options);
  if (!generation) {
    session.reset();
    return std::unexpected(std::move(generation.error()));
  }
  answer.generation = std::move(*generation);
  answer.figures.timings = answer.generation.timings;
  return answer;
}

std::string turn_line(const TurnFigures& figures, uint32_t n_held, uint32_t context) {
  const handloom::Timings& timings = figures.timings;
  std::vector<std::string> parts = {
      fmt::format("prompt {}: {} reused, {} evaluated{}", count_text(figures.n_prompt, "token"),
                  figures.n_reused(), timings.n_prompt, rate_text(prefill_rate(timings))),
      fmt::format("{}{}", count_text(timings.n_generated, "token"),
                  rate_text(decode_rate(timings)))};
  if (const double bandwidth = decode_bandwidth(timings); bandwidth > 0.0) {
    parts.push_back(fmt::format("{} GB/s", three_digits(bandwidth * 1e-9)));
  }
  if (const std::string text = in_flight_text(timings); !text.empty()) parts.push_back(text);
  parts.push_back(fmt::format("context {} of {}", n_held, context));
  return join(parts, " | ");
}

}  // namespace cli
