// What the door's Tokenizer hides.
#pragma once

#include "formats/model_files.h"
#include "tokenizer/tokenizer.h"

#include <handloom/handloom.h>

namespace handloom {

struct Tokenizer::Impl {
  tokenizer::Tokenizer tokenizer;
  ChatTemplate chat_template;
};

/// The tokenizer of a model's files.
Result<Tokenizer> make_tokenizer(const formats::TokenizerFiles& files);

}  // namespace handloom
