// handloom tokenize: text to ids and pieces, and back. Needs no GPU.
#include "commands.h"
#include "failure.h"
#include "model.h"
#include "print.h"
#include "prompt.h"
#include "terminal.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace cli {
namespace {

constexpr auto kReplace = nlohmann::json::error_handler_t::replace;

std::string pieces_text(std::span<const handloom::Piece> pieces) {
  std::string text;
  for (const handloom::Piece& piece : pieces) {
    text += fmt::format("{:>8}  {}{}\n", piece.id, in_quotes(piece.text),
                        piece.special ? "  special" : "");
  }
  return text + count_text(pieces.size(), "token") + "\n";
}

void print_decoded(const TokenizeCommand& command, const handloom::Tokenizer& tokenizer) {
  const std::string text = take(tokenizer.decode(*command.decode, command.no_specials));
  if (command.json) {
    write_stdout(nlohmann::json(text).dump(-1, ' ', false, kReplace) + "\n");
  } else {
    write_stdout(text + "\n");
  }
}

void print_encoded(const TokenizeCommand& command, const handloom::Tokenizer& tokenizer) {
  const bool from_stdin = !command.text || *command.text == "-";
  const std::string text = from_stdin ? read_all("-") : *command.text;
  const auto ids = take(tokenizer.encode(text, !command.no_specials));
  if (command.json) {
    write_stdout(nlohmann::json(ids).dump() + "\n");
  } else {
    write_stdout(pieces_text(take(tokenizer.pieces(ids))));
  }
}

}  // namespace

int execute(const TokenizeCommand& command) {
  const auto tokenizer = take(handloom::Tokenizer::load(find_model(command.folder)));
  if (command.decode) {
    print_decoded(command, tokenizer);
  } else {
    print_encoded(command, tokenizer);
  }
  return 0;
}

}  // namespace cli
