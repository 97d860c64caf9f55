// The folder that quantise() writes for int8-block.
#pragma once

#include "convert/gguf_file.h"

#include <span>
#include <string>

namespace handloom::convert {

/// `folder` is complete or not there; what it held before is replaced file by file. A folder of
/// Hugging Face's gives its config.json and its tokenizer's files as they are; of another kind they
/// are made. Errors: those of the files; unsupported for a GGUF file without a tokenizer.json, and
/// for what config.json has no key for.
Result<void> write_int8_folder(const std::string& folder, const formats::ModelFiles& files,
                               const PlainVocabulary& vocabulary,
                               std::span<const OutTensor> tensors,
                               const EncodeTensor& encode_tensor);

}  // namespace handloom::convert
