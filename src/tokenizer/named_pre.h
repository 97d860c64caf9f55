// The pre-tokenizers that GGUF files know by name (tokenizer.ggml.pre) instead of by pattern, and
// what else a name implies. The names are llama.cpp's, the patterns those of the tokenizer.json
// that a name stands for.
#pragma once

#include "base/json.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::tokenizer {

struct NamedPre {
  std::string_view name;
  std::span<const std::string_view> patterns;  // in order; each isolates its matches
  bool nfc;                                    // the normalizer
  bool ignore_merges;  // a word that is a piece is that piece, whatever the merges say
  bool add_bos;        // where the file does not say
};

/// The one of that name; "" is "default". nullptr if there is none.
const NamedPre* find_named_pre(std::string_view name);

/// The first with these patterns that also agrees with the rest, or with as much as possible of it;
/// nullptr if no name has these patterns.
const NamedPre* find_named_pre(std::span<const std::string> patterns, bool nfc, bool ignore_merges);

/// "default, gpt-2, ..."
std::string named_pre_list();

/// The patterns that section "pre_tokenizer" of `root` isolates one after the other before its
/// ByteLevel step; nullopt if it is not made of such, or puts a space before the text.
Result<std::optional<std::vector<std::string>>> isolated_patterns(const JsonObject& root);

}  // namespace handloom::tokenizer
