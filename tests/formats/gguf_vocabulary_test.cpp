// The vocabulary of a GGUF file: read, refused, and written back.
#include "formats/gguf_vocabulary.h"

#include "tests/formats/gguf_support.h"

namespace handloom::formats {
namespace {

/// Three tokens of a byte-level tokenizer, with everything that may stand beside them.
GgufFile sample() {
  GgufFile file;
  file.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "qwen2");
  file.texts("tokenizer.ggml.tokens", {"a", "b", "ab", "<|im_end|>"});
  file.array("tokenizer.ggml.token_type", 5, 4, raw(1) + raw(1) + raw(1) + raw(3));
  file.texts("tokenizer.ggml.merges", {"a b"});
  file.u32("tokenizer.ggml.eos_token_id", 3)
      .key("tokenizer.ggml.padding_token_id", 2, raw(uint16_t{2}));
  file.flag("tokenizer.ggml.add_bos_token", false);
  file.text("tokenizer.chat_template", "{{ messages }}");
  return file;
}

Result<PlainVocabulary> read(const GgufFile& file) {
  const std::string bytes = file.bytes();
  TRY(const Gguf gguf, Gguf::parse(as_bytes(bytes), "f"));
  return vocabulary_from_gguf(gguf);
}

TEST(GgufVocabulary, ReadsAByteLevelOne) {
  ASSERT_OK(const PlainVocabulary v, read(sample()));
  EXPECT_EQ(v.model, "gpt2");
  EXPECT_EQ(v.pre, "qwen2");
  EXPECT_EQ(v.pieces, (std::vector<std::string>{"a", "b", "ab", "<|im_end|>"}));
  EXPECT_EQ(v.kinds, (std::vector{PieceKind::normal, PieceKind::normal, PieceKind::normal,
                                  PieceKind::control}));
  EXPECT_EQ(v.merges, std::vector<std::string>{"a b"});
  EXPECT_TRUE(v.scores.empty());
  EXPECT_EQ(v.eos_id, 3u);
  EXPECT_EQ(v.pad_id, 2u);
  EXPECT_FALSE(v.bos_id || v.unk_id || v.eot_id || v.add_eos || v.add_space_prefix);
  EXPECT_EQ(v.add_bos, false);
  EXPECT_EQ(v.chat_template, "{{ messages }}");
  EXPECT_EQ(v.tokenizer_json, "");
}

PlainVocabulary sentencepiece() {
  PlainVocabulary v{
      .model = "llama", .pre = "default", .pieces = {"<unk>", "<s>", "</s>", "\xe2\x96\x81x"}};
  v.scores = {0, 0, 0, -1.5f};
  v.kinds = {PieceKind::unknown, PieceKind::control, PieceKind::control, PieceKind::user_defined};
  v.bos_id = 1;
  v.eos_id = 2;
  v.unk_id = 0;
  v.pad_id = 2;
  v.eot_id = 3;
  v.add_bos = true;
  v.add_eos = false;
  v.add_space_prefix = true;
  v.tokenizer_json = "{}";
  v.chat_template = "t";
  return v;
}

Result<PlainVocabulary> round_trip(const PlainVocabulary& vocabulary, GgufFields fields) {
  const TempFolder folder;
  add_vocabulary(vocabulary, fields);
  CHECK_OK(write_gguf(folder / "v.gguf", fields, {}, nullptr));
  TRY(const Gguf gguf, Gguf::open(folder / "v.gguf"));
  return vocabulary_from_gguf(gguf);
}

TEST(GgufVocabulary, RoundTripsEverything) {
  const PlainVocabulary v = sentencepiece();
  ASSERT_OK(const PlainVocabulary back,
            round_trip(v, {{"general.architecture", std::string("llama")}}));
  EXPECT_EQ(back.model, v.model);
  EXPECT_EQ(back.pre, v.pre);
  EXPECT_EQ(back.pieces, v.pieces);
  EXPECT_EQ(back.scores, v.scores);
  EXPECT_EQ(back.kinds, v.kinds);
  EXPECT_EQ(back.merges, v.merges);
  EXPECT_EQ(back.bos_id, v.bos_id);
  EXPECT_EQ(back.eos_id, v.eos_id);
  EXPECT_EQ(back.unk_id, v.unk_id);
  EXPECT_EQ(back.pad_id, v.pad_id);
  EXPECT_EQ(back.eot_id, v.eot_id);
  EXPECT_EQ(back.add_bos, v.add_bos);
  EXPECT_EQ(back.add_eos, v.add_eos);
  EXPECT_EQ(back.add_space_prefix, v.add_space_prefix);
  EXPECT_EQ(back.tokenizer_json, v.tokenizer_json);
  EXPECT_EQ(back.chat_template, v.chat_template);
}

TEST(GgufVocabulary, LeavesKeysThatAreThereAlready) {
  ASSERT_OK(const PlainVocabulary back,
            round_trip(sentencepiece(), {{"general.architecture", std::string("llama")},
                                         {"tokenizer.ggml.eos_token_id", 1u}}));
  EXPECT_EQ(back.eos_id, 1u);
  EXPECT_EQ(back.pad_id, 2u);
}

TEST(GgufVocabulary, RefusesWhatContradictsItself) {
  constexpr auto bad = ErrorCode::bad_format;
  expect_error(read(GgufFile()), bad, {"f: 'tokenizer.ggml.model' is missing, expected a string"});
  expect_error(read(GgufFile().text("tokenizer.ggml.model", "llama")), bad,
               {"'tokenizer.ggml.tokens' is missing, expected 1 to 16777216 strings"});
  const auto llama = [] { return GgufFile().text("tokenizer.ggml.model", "llama"); };
  expect_error(read(llama().texts("tokenizer.ggml.tokens", {})), bad,
               {"'tokenizer.ggml.tokens' is an array of 0 strings, expected 1 to"});
  expect_error(read(llama().array("tokenizer.ggml.tokens", 4, 1, raw(1))), bad,
               {"is an array of 1 u32, expected an array of strings"});
  const auto tokens = [&] { return llama().texts("tokenizer.ggml.tokens", {"a", "b"}); };
  ASSERT_TRUE(read(tokens()).has_value());
  expect_error(read(tokens().array("tokenizer.ggml.scores", 6, 1, raw(1.0f))), bad,
               {"'tokenizer.ggml.scores' has 1 values, expected one for each of 2 tokens"});
  expect_error(read(tokens().array("tokenizer.ggml.scores", 6, 2, raw(1.0f) + raw(0.0f / 0.0f))),
               bad, {"'tokenizer.ggml.scores' holds"});
  expect_error(read(tokens().array("tokenizer.ggml.token_type", 5, 3, raw(1) + raw(1) + raw(1))),
               bad, {"'tokenizer.ggml.token_type' has 3 values, expected one for each of 2"});
  for (const int type : {0, 7}) {
    expect_error(read(tokens().array("tokenizer.ggml.token_type", 5, 2, raw(1) + raw(type))), bad,
                 {"'tokenizer.ggml.token_type' holds", "expected 1 to 6"});
  }
  expect_error(read(tokens().u32("tokenizer.ggml.unknown_token_id", 2)), bad,
               {"'tokenizer.ggml.unknown_token_id' is 2, expected less than the 2 tokens"});
  expect_error(read(tokens().u32("tokenizer.ggml.add_bos_token", 1)), bad,
               {"'tokenizer.ggml.add_bos_token' is 1, expected true or false"});
  expect_error(read(tokens().text("tokenizer.chat_template", "\xff")), bad,
               {"'tokenizer.chat_template' is not UTF-8 text"});
  expect_error(read(tokens().tensor("token_embd.weight", 0, {1, 3}, std::string(12, '\0'))), bad,
               {"'tokenizer.ggml.tokens' lists 2 tokens, expected 3, the rows of token_embd"});
}

}  // namespace
}  // namespace handloom::formats
