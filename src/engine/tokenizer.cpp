// The door's Tokenizer: the tokenizer room and the texts beside it.
#include "engine/tokenizer_impl.h"

#include "base/result.h"

namespace handloom {

Result<Tokenizer> make_tokenizer(const formats::TokenizerFiles& files) {
  TRY(tokenizer::Tokenizer inner,
      files.json_path.empty() ? tokenizer::Tokenizer::from_vocabulary(files.vocabulary, files.where)
                              : tokenizer::Tokenizer::load(files.json_path));
  const formats::TokenizerConfig& texts = files.texts;
  auto impl = std::make_shared<Tokenizer::Impl>(
      Tokenizer::Impl{.tokenizer = std::move(inner),
                      .chat_template = {.text = texts.chat_template,
                                        .bos_token = texts.bos_token.value_or(""),
                                        .eos_token = texts.eos_token.value_or(""),
                                        .unk_token = texts.unk_token.value_or(""),
                                        .pad_token = texts.pad_token.value_or("")}});
  return Tokenizer(std::move(impl));
}

Result<Tokenizer> Tokenizer::load(const std::string& path) {
  TRY(const formats::TokenizerFiles& files, formats::open_tokenizer(path));
  return make_tokenizer(files);
}

Result<std::vector<uint32_t>> Tokenizer::encode(std::string_view text, bool add_specials) const {
  return impl_->tokenizer.encode(text, {.add_specials = add_specials});
}

Result<std::string> Tokenizer::decode(std::span<const uint32_t> ids, bool skip_specials) const {
  return impl_->tokenizer.decode(ids, skip_specials);
}

Result<std::vector<Piece>> Tokenizer::pieces(std::span<const uint32_t> ids) const {
  std::vector<Piece> pieces;
  for (const uint32_t id : ids) {
    if (id >= vocab_size()) {
      return fail(ErrorCode::invalid_argument, "tokenizer: id {} is not in the vocabulary of {}",
                  id, vocab_size());
    }
    pieces.push_back({.id = id,
                      .text = std::string(impl_->tokenizer.piece(id)),
                      .special = impl_->tokenizer.is_special(id)});
  }
  return pieces;
}

uint32_t Tokenizer::vocab_size() const { return impl_->tokenizer.vocab_size(); }

const ChatTemplate& Tokenizer::chat_template() const { return impl_->chat_template; }

}  // namespace handloom
