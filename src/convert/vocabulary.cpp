#include "convert/vocabulary.h"

#include "base/file.h"
#include "tokenizer/plain_export.h"

#include <algorithm>

namespace handloom::convert {

Result<ModelVocabulary> vocabulary_of(const formats::TokenizerFiles& files,
                                      std::optional<uint32_t> vocab_size) {
  ModelVocabulary made;
  if (files.json_path.empty()) {
    made.vocabulary = files.vocabulary;
  } else {
    const formats::TokenizerConfig& texts = files.texts;
    TRY(const std::string json, read_text_file(files.json_path));
    TRY(tokenizer::PlainExport exported,
        tokenizer::plain_vocabulary(json, files.json_path,
                                    {.vocab_size = vocab_size.value_or(0),
                                     .bos = texts.bos_token.value_or(""),
                                     .eos = texts.eos_token.value_or(""),
                                     .unk = texts.unk_token.value_or(""),
                                     .pad = texts.pad_token.value_or("")}));
    made.vocabulary = std::move(exported.vocabulary);
    made.losses = std::move(exported.losses);
  }
  made.vocabulary.chat_template = files.texts.chat_template;
  const size_t n_pieces = made.vocabulary.pieces.size();
  if (n_pieces <= vocab_size.value_or(n_pieces)) return made;
  return fail(ErrorCode::bad_format,
              "{}: the tokenizer has ids up to {}, the model has {} embeddings",
              files.json_path.empty() ? "tokenizer" : files.json_path, n_pieces - 1, *vocab_size);
}

formats::Config with_special_ids(const formats::ModelFiles& files,
                                 const PlainVocabulary& vocabulary) {
  formats::Config config = files.config;
  const auto is_id = [&](uint32_t id) { return id < config.vocab_size; };
  if (!files.generation.eos_ids.empty()) config.eos_ids = files.generation.eos_ids;
  std::erase_if(config.eos_ids, [&](uint32_t id) { return !is_id(id); });
  if (files.tokenizer.texts.bos_token && vocabulary.bos_id) config.bos_id = vocabulary.bos_id;
  if (config.bos_id && !is_id(*config.bos_id)) config.bos_id.reset();
  // The first one is the eos_token of chat templates.
  const auto named = std::ranges::find(config.eos_ids, vocabulary.eos_id.value_or(~0u));
  if (named != config.eos_ids.end()) std::rotate(config.eos_ids.begin(), named, named + 1);
  return config;
}

}  // namespace handloom::convert
