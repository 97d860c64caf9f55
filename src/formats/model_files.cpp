#include "formats/model_files.h"

#include "base/file.h"
#include "formats/safetensors.h"

namespace handloom::formats {

Result<TokenizerFiles> open_tokenizer(const std::string& path) {
  TokenizerFiles files{.json_path = path + "/tokenizer.json"};
  TRY(files.texts, load_tokenizer_config(path));
  return files;
}

Result<ModelFiles> open_model(const std::string& path) {
  TRY(Config config, load_config(path));
  TRY(GenerationConfig generation, load_generation_config(path));
  TRY(TokenizerFiles tokenizer, open_tokenizer(path));
  TRY(Checkpoint checkpoint, open_safetensors(path));
  return ModelFiles{.naming = Naming::hugging_face,
                    .path = path,
                    .config = std::move(config),
                    .generation = std::move(generation),
                    .checkpoint = std::move(checkpoint),
                    .tokenizer = std::move(tokenizer)};
}

std::string_view kind_of(Naming naming) {
  switch (naming) {
    case Naming::hugging_face: return "Hugging Face folder";
    case Naming::gguf: return "GGUF file";
    case Naming::mlc: return "MLC folder";
  }
  return "";
}

}  // namespace handloom::formats
