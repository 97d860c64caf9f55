// ModelFiles: all that a model has on disk, in whichever of the ways people keep it: a Hugging Face
// folder, a GGUF file, an MLC folder. Everything is read and checked but the weights, which stay
// mapped.
#pragma once

#include "base/plain_vocabulary.h"
#include "formats/checkpoint.h"
#include "formats/config.h"
#include "formats/generation_config.h"
#include "formats/tensor_names.h"
#include "formats/tokenizer_config.h"

#include <string>

namespace handloom::formats {

/// Text in and out: a tokenizer.json, or a vocabulary, and the texts beside it.
struct TokenizerFiles {
  std::string json_path;       // of a tokenizer.json; empty: `vocabulary` holds it
  PlainVocabulary vocabulary;  // of a GGUF file
  std::string where;           // begins error messages about the vocabulary
  TokenizerConfig texts;       // chat template and special tokens, wherever they stood
};

struct ModelFiles {
  Naming naming = Naming::hugging_face;  // the kind of files, too
  std::string path;                      // as given
  std::string name;                      // as a GGUF file says; empty: nothing says it
  Config config;
  GenerationConfig generation;
  Checkpoint checkpoint;
  TokenizerFiles tokenizer;
};

/// `path`: a folder with config.json and safetensors; a .gguf file, or a folder that holds one (in
/// parts, perhaps); a folder with mlc-chat-config.json. Errors: those of the readers; not_found if
/// it is none of these.
Result<ModelFiles> open_model(const std::string& path);

/// The same without the weights.
Result<TokenizerFiles> open_tokenizer(const std::string& path);

/// The GGUF file that `path` is, or that the folder `path` holds and nothing else of a model; "" if
/// it is another folder. Error: invalid_argument if it holds several.
Result<std::string> find_gguf(const std::string& path);

/// Whether `path` is a folder that MLC wrote.
bool is_mlc_folder(const std::string& path);

/// "Hugging Face folder", "GGUF file", "MLC folder"
std::string_view kind_of(Naming naming);

}  // namespace handloom::formats
