#include "formats/gguf_vocabulary.h"

#include "formats/limits.h"
#include "formats/names.h"

#include <array>
#include <cmath>
#include <string_view>

namespace handloom::formats {
namespace {

constexpr std::string_view kModel = "tokenizer.ggml.model";
constexpr std::string_view kPre = "tokenizer.ggml.pre";
constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kScores = "tokenizer.ggml.scores";
constexpr std::string_view kTypes = "tokenizer.ggml.token_type";
constexpr std::string_view kMerges = "tokenizer.ggml.merges";
constexpr std::string_view kTokenizerJson = "tokenizer.huggingface.json";
constexpr std::string_view kChatTemplate = "tokenizer.chat_template";

struct IdKey {
  std::string_view key;
  std::optional<uint32_t> PlainVocabulary::*id;
};
constexpr std::array kIds = {
    IdKey{"tokenizer.ggml.bos_token_id", &PlainVocabulary::bos_id},
    IdKey{"tokenizer.ggml.eos_token_id", &PlainVocabulary::eos_id},
    IdKey{"tokenizer.ggml.unknown_token_id", &PlainVocabulary::unk_id},
    IdKey{"tokenizer.ggml.padding_token_id", &PlainVocabulary::pad_id},
    IdKey{"tokenizer.ggml.eot_token_id", &PlainVocabulary::eot_id},
};

struct FlagKey {
  std::string_view key;
  std::optional<bool> PlainVocabulary::*flag;
};
constexpr std::array kFlags = {
    FlagKey{"tokenizer.ggml.add_bos_token", &PlainVocabulary::add_bos},
    FlagKey{"tokenizer.ggml.add_eos_token", &PlainVocabulary::add_eos},
    FlagKey{"tokenizer.ggml.add_space_prefix", &PlainVocabulary::add_space_prefix},
};

/// One a token, or none at all.
Result<void> check_count(const GgufMetadata& metadata, std::string_view key, size_t count,
                         size_t n_tokens) {
  if (count == 0 || count == n_tokens) return {};
  return fail(ErrorCode::bad_format, "{}: '{}' has {} values, expected one for each of {} tokens",
              metadata.where(), key, count, n_tokens);
}

Result<std::vector<std::string>> parse_pieces(const Gguf& gguf) {
  const GgufMetadata& metadata = gguf.metadata();
  const GgufValue* tokens = metadata.find(kTokens);
  if (tokens == nullptr || tokens->count == 0 || tokens->count > kMaxVocabSize) {
    return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected 1 to {} strings", metadata.where(),
                kTokens, tokens == nullptr ? "missing" : describe(*tokens), kMaxVocabSize);
  }
  const TensorInfo* embedding = gguf.checkpoint().find("token_embd.weight");
  if (embedding != nullptr && embedding->shape.rank() == 2 &&
      embedding->shape.dim(0) != tokens->count) {
    return fail(ErrorCode::bad_format,
                "{}: '{}' lists {} tokens, expected {}, the rows of token_embd.weight",
                metadata.where(), kTokens, tokens->count, embedding->shape.dim(0));
  }
  return metadata.find_strings(kTokens);
}

Result<std::vector<float>> parse_scores(const GgufMetadata& metadata, size_t n_tokens) {
  TRY(std::vector<float> scores, metadata.find_floats(kScores));
  CHECK_OK(check_count(metadata, kScores, scores.size(), n_tokens));
  for (const float score : scores) {
    if (!std::isnan(score)) continue;  // which would have no place in the order of merges
    return fail(ErrorCode::bad_format, "{}: '{}' holds {}, expected numbers", metadata.where(),
                kScores, score);
  }
  return scores;
}

Result<std::vector<PieceKind>> parse_kinds(const GgufMetadata& metadata, size_t n_tokens) {
  TRY(const std::vector<uint32_t>& types, metadata.find_u32s(kTypes));
  CHECK_OK(check_count(metadata, kTypes, types.size(), n_tokens));
  constexpr auto kLowest = static_cast<uint32_t>(PieceKind::normal);
  constexpr auto kHighest = static_cast<uint32_t>(PieceKind::byte);
  std::vector<PieceKind> kinds;
  kinds.reserve(types.size());
  for (const uint32_t type : types) {
    if (type < kLowest || type > kHighest) {
      return fail(ErrorCode::bad_format, "{}: '{}' holds {}, expected {} to {}", metadata.where(),
                  kTypes, type, kLowest, kHighest);
    }
    kinds.push_back(static_cast<PieceKind>(type));
  }
  return kinds;
}

std::vector<int32_t> to_types(const std::vector<PieceKind>& kinds) {
  std::vector<int32_t> types;
  types.reserve(kinds.size());
  for (const PieceKind kind : kinds) types.push_back(static_cast<int32_t>(kind));
  return types;
}

Result<void> parse_ids_and_flags(const GgufMetadata& metadata, PlainVocabulary& vocabulary) {
  for (const auto& [key, id] : kIds) {
    TRY(vocabulary.*id, metadata.find_u32(key));
    if ((vocabulary.*id).value_or(0) < vocabulary.pieces.size()) continue;
    return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected less than the {} tokens there are",
                metadata.where(), key, *(vocabulary.*id), vocabulary.pieces.size());
  }
  for (const auto& [key, flag] : kFlags) {
    TRY(vocabulary.*flag, metadata.find_bool(key));
  }
  return {};
}

Result<std::string> parse_text(const GgufMetadata& metadata, std::string_view key) {
  TRY(const auto& text, metadata.find_string(key));
  if (!text || is_utf8(*text)) return text.value_or("");
  return fail(ErrorCode::bad_format, "{}: '{}' is not UTF-8 text", metadata.where(), key);
}

}  // namespace

Result<PlainVocabulary> vocabulary_from_gguf(const Gguf& gguf) {
  const GgufMetadata& metadata = gguf.metadata();
  PlainVocabulary vocabulary;
  TRY(vocabulary.model, metadata.get_string(kModel));
  TRY(const auto& pre, metadata.find_string(kPre));
  vocabulary.pre = pre.value_or("");
  TRY(vocabulary.pieces, parse_pieces(gguf));
  const size_t n_tokens = vocabulary.pieces.size();
  TRY(vocabulary.scores, parse_scores(metadata, n_tokens));
  TRY(vocabulary.kinds, parse_kinds(metadata, n_tokens));
  TRY(vocabulary.merges, metadata.find_strings(kMerges));
  CHECK_OK(parse_ids_and_flags(metadata, vocabulary));
  TRY(vocabulary.tokenizer_json, parse_text(metadata, kTokenizerJson));
  TRY(vocabulary.chat_template, parse_text(metadata, kChatTemplate));
  return vocabulary;
}

void add_vocabulary(const PlainVocabulary& vocabulary, GgufFields& fields) {
  const auto add = [&fields](std::string_view key, GgufField value) {
    fields.try_emplace(std::string(key), std::move(value));
  };
  add(kModel, vocabulary.model);
  add(kTokens, vocabulary.pieces);
  if (!vocabulary.pre.empty()) add(kPre, vocabulary.pre);
  if (!vocabulary.scores.empty()) add(kScores, vocabulary.scores);
  if (!vocabulary.kinds.empty()) {
    add(kTypes, to_types(vocabulary.kinds));
  }
  if (!vocabulary.merges.empty()) add(kMerges, vocabulary.merges);
  for (const auto& [key, id] : kIds) {
    if (vocabulary.*id) add(key, *(vocabulary.*id));
  }
  for (const auto& [key, flag] : kFlags) {
    if (vocabulary.*flag) add(key, *(vocabulary.*flag));
  }
  if (!vocabulary.tokenizer_json.empty()) add(kTokenizerJson, vocabulary.tokenizer_json);
  if (!vocabulary.chat_template.empty()) add(kChatTemplate, vocabulary.chat_template);
}

}  // namespace handloom::formats
