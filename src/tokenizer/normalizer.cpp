#include "tokenizer/normalizer.h"

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/section.h"
#include "tokenizer/utf8.h"

namespace handloom::tokenizer {
namespace {

/// Control characters that the Nmt normalizer of sentencepiece drops.
bool nmt_drops(char32_t c) {
  return (c >= 0x01 && c <= 0x08) || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f ||
         c == 0x8f || c == 0x9f;
}

/// Spaces and look-alikes that it turns into a space.
bool nmt_spaces(char32_t c) {
  return c == 0x09 || c == 0x0a || c == 0x0c || c == 0x0d || c == 0x1680 ||
         (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff ||
         c == 0xfffd;
}

}  // namespace

Result<Normalizer> Normalizer::read(const JsonObject& root) {
  TRY(const std::vector<Step>& steps, read_steps(root, "normalizer", "normalizers"));
  Normalizer normalizer;
  for (const Step& step : steps) {
    TRY(Operation operation, read_step(step));
    normalizer.steps_.push_back(std::move(operation));
  }
  return normalizer;
}

Result<Normalizer::Operation> Normalizer::read_step(const Step& step) {
  const JsonObject& fields = step.fields;
  if (step.type == "NFC") return NormalForm::nfc;
  if (step.type == "NFD") return NormalForm::nfd;
  if (step.type == "NFKC") return NormalForm::nfkc;
  if (step.type == "NFKD") return NormalForm::nfkd;
  if (step.type == "Lowercase") return Lowercase{};
  if (step.type == "StripAccents") return StripAccents{};
  if (step.type == "ByteLevel") return SpellBytes{};
  if (step.type == "Nmt") return Nmt{};
  if (step.type == "Prepend") {
    TRY(std::string text, fields.get_string("prepend"));
    return Prepend{std::move(text)};
  }
  if (step.type == "Replace") {
    TRY(Pattern pattern, Pattern::read(fields));
    TRY(std::string content, fields.get_string("content"));
    return Replace{std::move(pattern), std::move(content)};
  }
  if (step.type == "Strip") {
    TRY(const bool left, fields.get_bool("strip_left"));
    TRY(const bool right, fields.get_bool("strip_right"));
    return Strip{left, right};
  }
  return unsupported_type(step,
                          "NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Prepend, Replace, "
                          "Nmt, ByteLevel, Sequence");
}

Result<std::string> Normalizer::apply(std::string_view text) const {
  const size_t limit = growth_limit(text.size());
  std::string current(text);
  for (const Operation& operation : steps_) {
    TRY(current,
        std::visit([&](const auto& step) { return run(step, current, limit); }, operation));
    CHECK_OK(check_growth(current.size(), limit));
  }
  return current;
}

Result<std::string> Normalizer::run(NormalForm form, std::string_view text, size_t) {
  return normalize(text, form);
}

Result<std::string> Normalizer::run(Lowercase, std::string_view text, size_t) {
  return lowercase(text);
}

Result<std::string> Normalizer::run(StripAccents, std::string_view text, size_t) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const Character c = character_at(text, i);
    if (!is_mark(c.code)) out += text.substr(i, c.n_bytes);
    i += c.n_bytes;
  }
  return out;
}

Result<std::string> Normalizer::run(SpellBytes, std::string_view text, size_t) {
  std::string out;
  append_spelled_bytes(text, out);
  return out;
}

Result<std::string> Normalizer::run(Nmt, std::string_view text, size_t) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const Character c = character_at(text, i);
    if (nmt_spaces(c.code)) {
      out += ' ';
    } else if (!nmt_drops(c.code)) {
      out += text.substr(i, c.n_bytes);
    }
    i += c.n_bytes;
  }
  return out;
}

Result<std::string> Normalizer::run(const Prepend& step, std::string_view text, size_t) {
  return text.empty() ? std::string() : step.text + std::string(text);
}

Result<std::string> Normalizer::run(const Replace& step, std::string_view text, size_t limit) {
  return replace_all(text, step.pattern, step.content, limit);
}

Result<std::string> Normalizer::run(Strip sides, std::string_view text, size_t) {
  size_t begin = 0, end = text.size();
  while (sides.left && begin < end && is_white_space(character_at(text, begin).code)) {
    begin += utf8_length(text[begin]);
  }
  while (sides.right && begin < end) {
    const size_t last = start_of_last_character(text.substr(0, end));
    if (!is_white_space(character_at(text, last).code)) break;
    end = last;
  }
  return std::string(text.substr(begin, end - begin));
}

}  // namespace handloom::tokenizer
