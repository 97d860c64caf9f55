// A model from one kind of file to another, with other types of weights.
//
//   f16, q8_0, q4_0, q4_k_m   one GGUF file that other readers load, too: standard keys, tokenizer
//                             and chat template included
//   int8-block                a folder of safetensors as Hugging Face's, with config.json and the
//                             tokenizer's files; matrices are NAME_q (i8) and NAME_scale (f32)
//
// Which tensor gets which type is recipe.h's to say. Reads and writes tensor by tensor.
#pragma once

#include "base/result.h"

#include <handloom/handloom.h>

#include <string>

namespace handloom::convert {

/// As the door says.
Result<QuantiseReport> quantise(const std::string& in, const std::string& out,
                                const QuantiseOptions& options);

}  // namespace handloom::convert
