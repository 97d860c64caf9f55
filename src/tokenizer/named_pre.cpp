#include "tokenizer/named_pre.h"

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/section.h"

#include <algorithm>
#include <array>

namespace handloom::tokenizer {
namespace {

using Patterns = std::span<const std::string_view>;

#define HANDLOOM_ENGLISH R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
#define HANDLOOM_SPACES R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define HANDLOOM_UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define HANDLOOM_LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"

constexpr std::array kGpt2 = {kByteLevelPattern};
constexpr std::array kDigitsGpt2 = {std::string_view(R"(\p{N})"), kByteLevelPattern};
constexpr std::array<std::string_view, 1> kLlama3 = {
    HANDLOOM_ENGLISH
    R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)" HANDLOOM_SPACES};
constexpr std::array<std::string_view, 1> kQwen2 = {
    HANDLOOM_ENGLISH
    R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)" HANDLOOM_SPACES};
constexpr std::array<std::string_view, 1> kTekken = {
    R"([^\r\n\p{L}\p{N}]?)" HANDLOOM_UPPER "*" HANDLOOM_LOWER
    "+"
    R"(|[^\r\n\p{L}\p{N}]?)" HANDLOOM_UPPER "+" HANDLOOM_LOWER
    "*"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" HANDLOOM_SPACES};
constexpr std::array<std::string_view, 1> kGpt4o = {
    R"([^\r\n\p{L}\p{N}]?)" HANDLOOM_UPPER "*" HANDLOOM_LOWER "+" HANDLOOM_ENGLISH
    "?"
    R"(|[^\r\n\p{L}\p{N}]?)" HANDLOOM_UPPER "+" HANDLOOM_LOWER "*" HANDLOOM_ENGLISH
    "?"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" HANDLOOM_SPACES};
// The letters with case that deepseek-llm's tokenizer.json lists one by one.
constexpr std::array<std::string_view, 6> kDeepseekLlm = {
    R"([\r\n])",
    R"(\s?[A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293})"
    R"(\x{295}-\x{2af}\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a})"
    R"(\x{38c}\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556})"
    R"(\x{10a0}-\x{10c5}\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf})"
    R"(\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d})"
    R"(\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d})"
    R"(\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4})"
    R"(\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4})"
    R"(\x{1ff6}-\x{1ffc}\x{2102}\x{2107}\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}\x{2124})"
    R"(\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139}\x{213c}-\x{213f})"
    R"(\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4})"
    R"(\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d}\x{a680}-\x{a69b}\x{a722}-\x{a76f})"
    R"(\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17})"
    R"(\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}\x{104b0}-\x{104d3})"
    R"(\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df})"
    R"(\x{1e900}-\x{1e943}]+)",
    R"(\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+)",
    R"(\s+$)",
    R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)",
    R"(\p{N}+)"};
constexpr std::array<std::string_view, 5> kDeepseekCoder = {
    R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)",
    R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)", R"(\p{N})"};

#undef HANDLOOM_ENGLISH
#undef HANDLOOM_SPACES
#undef HANDLOOM_UPPER
#undef HANDLOOM_LOWER

// Among equals the first is what a tokenizer.json is written as.
constexpr std::array kNamed = {
    //       name           patterns     nfc    ignore_merges  add_bos
    NamedPre{"gpt-2", Patterns(kGpt2), false, false, false},
    NamedPre{"default", Patterns(kGpt2), false, false, false},
    NamedPre{"phi-2", Patterns(kGpt2), false, false, false},
    NamedPre{"llama-bpe", Patterns(kLlama3), false, true, true},
    NamedPre{"llama3", Patterns(kLlama3), false, true, true},
    NamedPre{"llama-v3", Patterns(kLlama3), false, true, true},
    NamedPre{"dbrx", Patterns(kLlama3), false, false, false},
    NamedPre{"smaug-bpe", Patterns(kLlama3), false, false, false},
    NamedPre{"qwen2", Patterns(kQwen2), true, false, false},
    NamedPre{"deepseek-r1-qwen", Patterns(kQwen2), true, false, false},
    NamedPre{"stablelm2", Patterns(kQwen2), false, false, false},
    NamedPre{"tekken", Patterns(kTekken), false, true, true},
    NamedPre{"gpt-4o", Patterns(kGpt4o), false, false, false},
    NamedPre{"smollm", Patterns(kDigitsGpt2), false, false, false},
    NamedPre{"starcoder", Patterns(kDigitsGpt2), false, false, false},
    NamedPre{"refact", Patterns(kDigitsGpt2), false, false, false},
    NamedPre{"command-r", Patterns(kDigitsGpt2), true, false, false},
    NamedPre{"deepseek-llm", Patterns(kDeepseekLlm), false, false, false},
    NamedPre{"deepseek-coder", Patterns(kDeepseekCoder), false, false, false},
};

/// The pattern that a Split isolates, if that is all it does.
Result<std::optional<std::string>> isolated_pattern(const JsonObject& fields) {
  TRY(const JsonObject& pattern, fields.get_object("pattern"));
  TRY(const auto& regex, pattern.find_string("Regex"));
  TRY(const auto& behavior, fields.find_string("behavior"));
  TRY(const auto invert, fields.find_bool("invert"));
  // The known patterns match all of a text, so that nothing lies between matches to be removed.
  const bool isolates = behavior == "Isolated" || (behavior == "Removed" && invert == true);
  return isolates ? regex : std::nullopt;
}

}  // namespace

const NamedPre* find_named_pre(std::string_view name) {
  if (name.empty()) name = "default";
  const auto found = std::ranges::find(kNamed, name, &NamedPre::name);
  return found == kNamed.end() ? nullptr : &*found;
}

const NamedPre* find_named_pre(std::span<const std::string> patterns, bool nfc,
                               bool ignore_merges) {
  const auto agreement = [&](const NamedPre& one) {
    return 2 * int{one.ignore_merges == ignore_merges} + int{one.nfc == nfc};
  };
  const NamedPre* best = nullptr;
  for (const NamedPre& one : kNamed) {
    if (!std::ranges::equal(one.patterns, patterns)) continue;
    if (best == nullptr || agreement(one) > agreement(*best)) best = &one;
  }
  return best;
}

std::string named_pre_list() {
  std::string list;
  for (const NamedPre& one : kNamed) {
    if (!list.empty()) list += ", ";
    list += one.name;
  }
  return list;
}

Result<std::optional<std::vector<std::string>>> isolated_patterns(const JsonObject& root) {
  TRY(const std::vector<Step>& steps, read_steps(root, "pre_tokenizer", "pretokenizers"));
  std::vector<std::string> patterns;
  bool is_spelled = false;  // past the ByteLevel
  for (const Step& step : steps) {
    std::optional<std::string> pattern;
    if (is_spelled) return std::nullopt;
    if (step.type == "Split") {
      TRY(pattern, isolated_pattern(step.fields));
    } else if (step.type == "Digits") {
      TRY(const auto individual, step.fields.find_bool("individual_digits"));
      pattern = individual.value_or(false) ? R"(\p{N})" : R"(\p{N}+)";
    } else if (step.type == "ByteLevel") {
      TRY(const auto prefix, step.fields.find_bool("add_prefix_space"));
      TRY(const auto use_regex, step.fields.find_bool("use_regex"));
      if (prefix.value_or(true)) return std::nullopt;
      is_spelled = true;
      if (!use_regex.value_or(true)) continue;
      pattern = kByteLevelPattern;
    }
    if (!pattern) return std::nullopt;
    patterns.push_back(std::move(*pattern));
  }
  return is_spelled ? std::optional(std::move(patterns)) : std::nullopt;
}

}  // namespace handloom::tokenizer
