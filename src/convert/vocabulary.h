// The tokenizer of a model as the lists that a GGUF file carries.
#pragma once

#include "base/plain_vocabulary.h"
#include "base/result.h"
#include "formats/model_files.h"

#include <optional>
#include <string>
#include <vector>

namespace handloom::convert {

struct ModelVocabulary {
  PlainVocabulary vocabulary;
  std::vector<std::string> losses;  // what the lists cannot say, a sentence each
};

/// Of a tokenizer.json, or as the GGUF file holds it. `vocab_size` is that of the model, if it is
/// known. Errors: those of the tokenizer's files; bad_format if there are more pieces than that.
Result<ModelVocabulary> vocabulary_of(const formats::TokenizerFiles& files,
                                      std::optional<uint32_t> vocab_size);

/// The config with the ids that begin and end a text as generation_config.json and the tokenizer's
/// texts have them: they are what a chat template renders, and what ends an answer.
formats::Config with_special_ids(const formats::ModelFiles& files,
                                 const PlainVocabulary& vocabulary);

}  // namespace handloom::convert
