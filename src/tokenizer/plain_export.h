// A tokenizer.json as the lists that GGUF files carry, so that other readers understand the file.
#pragma once

#include "base/plain_vocabulary.h"
#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::tokenizer {

/// What tokenizer.json does not say; pieces by their text, empty if the model has none.
struct PlainExportOptions {
  uint32_t vocab_size = 0;  // the model's; ids without a piece below it become unused pieces
  std::string bos, eos, unk, pad, eot;
};

struct PlainExport {
  PlainVocabulary vocabulary;  // with the tokenizer.json itself, by which handloom loses nothing
  /// What the lists cannot say, a sentence each: what other readers may do differently.
  std::vector<std::string> losses;
};

/// Byte-level BPE becomes "gpt2" with the name of its pre-tokenizer ("default" if it has none), BPE
/// with byte fallback "llama" with scores made of the merges' ranks. An error if the file cannot be
/// read (`where` begins it), or is neither.
Result<PlainExport> plain_vocabulary(std::string_view tokenizer_json, const std::string& where,
                                     const PlainExportOptions& options);

}  // namespace handloom::tokenizer
