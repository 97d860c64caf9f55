// What the door's Tokenizer hides.
#pragma once

#include "tokenizer/tokenizer.h"

#include <handloom/handloom.h>

namespace handloom {

struct Tokenizer::Impl {
  tokenizer::Tokenizer tokenizer;
  ChatTemplate chat_template;
};

}  // namespace handloom
