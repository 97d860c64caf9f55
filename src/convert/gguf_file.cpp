#include "convert/gguf_file.h"

#include "formats/gguf_config.h"
#include "formats/gguf_vocabulary.h"

#include <filesystem>

namespace handloom::convert {
namespace {

/// "Phi-3-mini" of "models/Phi-3-mini/" or "models/Phi-3-mini.gguf".
std::string name_of_model(const std::string& path) {
  std::filesystem::path last = std::filesystem::path(path).lexically_normal();
  if (!last.has_filename()) last = last.parent_path();
  std::error_code ignored;
  if (last == "." || last.empty()) last = std::filesystem::current_path(ignored);
  return last.extension() == ".gguf" ? last.stem().string() : last.filename().string();
}

/// Models with several templates name them, and list the names.
void add_other_templates(const formats::TokenizerConfig& texts, formats::GgufFields& fields) {
  std::vector<std::string> names;
  for (const auto& [name, text] : texts.other_templates) {
    names.push_back(name);
    fields["tokenizer.chat_template." + name] = text;
  }
  if (!names.empty()) fields["tokenizer.chat_templates"] = std::move(names);
}

}  // namespace

Result<formats::GgufFields> gguf_fields(const formats::ModelFiles& files,
                                        const PlainVocabulary& vocabulary, Recipe recipe) {
  formats::Config config = files.config;
  if (config.eos_ids.size() > kMaxEndIds) config.eos_ids.resize(kMaxEndIds);
  TRY(formats::GgufFields fields, formats::fields_from_config(config));
  fields["general.name"] = files.name.empty() ? name_of_model(files.path) : files.name;
  fields["general.file_type"] = gguf_file_type(recipe);
  formats::add_vocabulary(vocabulary, fields);
  add_other_templates(files.tokenizer.texts, fields);
  return fields;
}

Result<void> write_gguf_file(const std::string& path, const formats::ModelFiles& files,
                             const PlainVocabulary& vocabulary, Recipe recipe,
                             std::span<const OutTensor> tensors,
                             const EncodeTensor& encode_tensor) {
  TRY(const formats::GgufFields fields, gguf_fields(files, vocabulary, recipe));
  std::vector<formats::GgufTensor> heads;
  for (const OutTensor& t : tensors) heads.push_back({t.name, t.dtype, t.shape});
  const auto bytes_of = [&](size_t i) -> Result<std::vector<std::byte>> {
    TRY(Encoded encoded, encode_tensor(i));
    return std::move(encoded.bytes);
  };
  return formats::write_gguf(path, fields, heads, bytes_of);
}

}  // namespace handloom::convert
