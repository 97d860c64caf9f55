// The GGUF file that quantise() writes: metadata, vocabulary, tensors.
#pragma once

#include "base/plain_vocabulary.h"
#include "convert/out_tensor.h"
#include "convert/recipe.h"
#include "formats/gguf_writer.h"
#include "formats/model_files.h"

#include <functional>
#include <span>
#include <string>

namespace handloom::convert {

/// The bytes of tensor `i`.
using EncodeTensor = std::function<Result<Encoded>(size_t i)>;

/// Tokens that end a text, turn or message: eos, eot, eom. More are left out.
inline constexpr size_t kMaxEndIds = 3;

/// All of the metadata: general.name is the model's, or else that of the file or folder; template
/// and tokenizer are the model's. Errors: what GGUF has no key for.
Result<formats::GgufFields> gguf_fields(const formats::ModelFiles& files,
                                        const PlainVocabulary& vocabulary, Recipe recipe);

/// Writes `path` complete or not at all.
Result<void> write_gguf_file(const std::string& path, const formats::ModelFiles& files,
                             const PlainVocabulary& vocabulary, Recipe recipe,
                             std::span<const OutTensor> tensors, const EncodeTensor& encode_tensor);

}  // namespace handloom::convert
