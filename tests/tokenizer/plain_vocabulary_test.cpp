// Vocabularies as GGUF files carry them: a tokenizer.json written as lists and read back answers
// the same, small lists by hand, and hostile ones.
#include "base/file.h"
#include "tests/tokenizer/support.h"
#include "tokenizer/plain_export.h"
#include "tokenizer/plain_model.h"
#include "tokenizer/tokenizer.h"

#include <cmath>
#include <limits>

namespace handloom::tokenizer {
namespace {

std::string read(const std::string& path) {
  const auto text = read_text_file(path);
  EXPECT_TRUE(text) << path;
  return text.value_or("");
}

std::string tokenizer_json(const std::string& family) {
  return read(family == "starter"
                  ? std::string(HANDLOOM_STARTER_DIR) + "/tokenizer.json"
                  : std::string(HANDLOOM_GOLDEN_DIR) + "/" + family + "/tokenizer.json");
}

/// Texts of the golden file; the starter has none of its own and takes Llama's.
std::vector<std::string> texts_for(const std::string& family) {
  const std::string folder = family == "starter" ? "llama2" : family;
  const Json reference =
      json_of(read(std::string(HANDLOOM_GOLDEN_DIR) + "/" + folder + "/tokenizer_reference.json"));
  std::vector<std::string> texts;
  for (const Json& one : reference["cases"]) texts.push_back(one["text"].get<std::string>());
  EXPECT_EQ(texts.size(), 116u);
  // Specials with what they may swallow, and what only some of them know.
  for (const char* text : {"<s>a</s>b", "<|user|>\nhi<|end|>\n<|assistant|>\n", "<bos> x  <eos>",
                           "<|im_start|>user\n<|im_end|>\n", "<|begin_of_text|> a", "", " "}) {
    texts.emplace_back(text);
  }
  return texts;
}

struct Expected {
  const char* family;
  const char* model;
  const char* pre;
};

std::ostream& operator<<(std::ostream& out, const Expected& expected) {
  return out << expected.family;
}

class PlainFamily : public testing::TestWithParam<Expected> {};

TEST_P(PlainFamily, AnswersTheSameWithoutItsTokenizerJson) {
  const Expected& expected = GetParam();
  const std::string json = tokenizer_json(expected.family);
  const auto original = Tokenizer::parse(json, "t.json");
  ASSERT_TRUE(original) << error_of(original);
  const uint32_t vocab_size = original->vocab_size() + 3;
  auto plain = plain_vocabulary(json, "t.json", {.vocab_size = vocab_size});
  ASSERT_TRUE(plain) << error_of(plain);
  PlainVocabulary& vocabulary = plain->vocabulary;
  EXPECT_EQ(plain->losses, std::vector<std::string>());
  EXPECT_EQ(vocabulary.model, expected.model);
  EXPECT_EQ(vocabulary.pre, expected.pre);
  EXPECT_EQ(vocabulary.pieces.size(), vocab_size);
  EXPECT_EQ(vocabulary.pieces.back(), hole_piece(vocab_size - 1));
  EXPECT_EQ(vocabulary.tokenizer_json, json);

  vocabulary.tokenizer_json.clear();
  const auto again = Tokenizer::from_vocabulary(vocabulary, "gguf");
  ASSERT_TRUE(again) << error_of(again);
  EXPECT_EQ(again->vocab_size(), original->vocab_size());
  for (uint32_t id = 0; id < vocab_size; ++id) {
    EXPECT_EQ(again->piece(id), original->piece(id));
    EXPECT_EQ(again->is_special(id), original->is_special(id)) << original->piece(id);
  }
  for (const std::string& text : texts_for(expected.family)) {
    SCOPED_TRACE(text);
    for (const bool specials : {false, true}) {
      const Ids ids = original->encode(text, {.add_specials = specials}).value();
      EXPECT_EQ(again->encode(text, {.add_specials = specials}), ids);
      EXPECT_EQ(again->decode(ids), original->decode(ids).value());
      EXPECT_EQ(again->decode(ids, true), original->decode(ids, true).value());
    }
  }
}

// stablelm2 is Qwen 2's pattern without the NFC, which is what the starter has.
INSTANTIATE_TEST_SUITE_P(
    All, PlainFamily,
    testing::Values(Expected{"llama2", "llama", ""}, Expected{"llama3.2", "gpt2", "llama-bpe"},
                    Expected{"phi3", "llama", ""}, Expected{"qwen2", "gpt2", "qwen2"},
                    Expected{"gemma2", "llama", ""}, Expected{"starter", "gpt2", "stablelm2"}),
    [](const auto& one) {
      std::string name = one.param.family;
      std::erase(name, '.');
      return name;
    });

TEST(PlainVocabulary, ItsTokenizerJsonWins) {
  PlainVocabulary vocabulary;
  vocabulary.model = "no such";
  vocabulary.tokenizer_json = tokenizer_json("phi3");
  const auto tokenizer = Tokenizer::from_vocabulary(vocabulary, "gguf");
  ASSERT_TRUE(tokenizer) << error_of(tokenizer);
  EXPECT_TRUE(tokenizer->id_of("<|end|>"));
}

/// ids: 0 <unk> 1 <s> 2 </s> 3 ▁ 4 a 5 b 6 ab 7 ▁a 8 bb 9 <0x0A> 10 "  " 11 [PAD11]
PlainVocabulary small_llama() {
  PlainVocabulary v;
  v.model = "llama";
  v.pieces = {"<unk>", "<s>",     "</s>", "\u2581", "a",  "b",
              "ab",    "\u2581a", "bb",   "<0x0A>", "  ", "[PAD11]"};
  v.scores = {0, 0, 0, -9, -9, -9, -1, -2, -1, 0, -1000, 0};
  using enum PieceKind;
  v.kinds = {unknown, control, control, normal, normal,       normal,
             normal,  normal,  normal,  byte,   user_defined, unused};
  return v;
}

Result<Ids> encode_plain(const PlainVocabulary& vocabulary, std::string_view text) {
  TRY(const Tokenizer tokenizer, Tokenizer::from_vocabulary(vocabulary, "gguf"));
  return tokenizer.encode(text);
}

TEST(LlamaVocabulary, MergesTheHighestScoreFirst) {
  // ab (-1) before ▁a (-2), and BOS before all.
  EXPECT_EQ(encode_plain(small_llama(), "ab"), (Ids{1, 3, 6}));
  PlainVocabulary other = small_llama();
  other.scores[7] = 5;
  EXPECT_EQ(encode_plain(other, "ab"), (Ids{1, 7, 5}));
}

TEST(LlamaVocabulary, MergesEqualScoresFromTheLeft) {
  // "ab" and "bb" both score -1: the leftmost of abb and of bba's pairs goes first.
  EXPECT_EQ(encode_plain(small_llama(), "abb"), (Ids{1, 3, 6, 5}));
  EXPECT_EQ(encode_plain(small_llama(), "bba"), (Ids{1, 3, 8, 4}));
}

TEST(LlamaVocabulary, KnowsBytesUnknownsAndUserDefinedPieces) {
  EXPECT_EQ(encode_plain(small_llama(), "a\n"), (Ids{1, 7, 9}));
  EXPECT_EQ(encode_plain(small_llama(), "a\u00e9"), (Ids{1, 7, 0}));
  EXPECT_EQ(encode_plain(small_llama(), "a  b"), (Ids{1, 7, 10, 3, 5}));
  const auto tokenizer = Tokenizer::from_vocabulary(small_llama(), "gguf").value();
  EXPECT_FALSE(tokenizer.is_special(10));
  EXPECT_TRUE(tokenizer.is_special(2));
  EXPECT_FALSE(tokenizer.has_id(11));
  EXPECT_EQ(tokenizer.decode(Ids{1, 7, 10, 3, 5}, true), "a   b");
}

TEST(LlamaVocabulary, FollowsItsFlags) {
  PlainVocabulary v = small_llama();
  v.add_space_prefix = false;
  v.add_bos = false;
  v.add_eos = true;
  v.eos_id = 2;
  EXPECT_EQ(encode_plain(v, "ab"), (Ids{6, 2}));
  EXPECT_EQ(Tokenizer::from_vocabulary(v, "gguf")->decode(Ids{3, 6}), " ab");
  v.add_bos.reset();
  v.bos_id = 2;
  EXPECT_EQ(encode_plain(v, "ab"), (Ids{2, 6, 2}));
}

TEST(LlamaVocabulary, WithoutKindsBytesAndSpecialsAreKnownByNameAndId) {
  PlainVocabulary v = small_llama();
  v.kinds.clear();
  v.pieces[11] = "c";
  v.bos_id = 1;
  v.eos_id = 2;
  v.unk_id = 0;
  EXPECT_EQ(encode_plain(v, "a</s>\n\u00e9"), (Ids{1, 7, 2, 3, 9, 0}));
}

/// The byte alphabet's letters a, b, G-with-dot (a space), then ab and a control piece.
PlainVocabulary small_gpt2() {
  PlainVocabulary v;
  v.model = "gpt2";
  v.pieces = {"a", "b", "\u0120", "ab", "\u0120ab", "<|x|>", "1", "11"};
  using enum PieceKind;
  v.kinds = {normal, normal, normal, normal, normal, control, normal, normal};
  v.merges = {"a b", "\u0120 ab", "1 1"};
  return v;
}

TEST(Gpt2Vocabulary, SplitsByItsNamedPreTokenizer) {
  PlainVocabulary v = small_gpt2();
  EXPECT_EQ(encode_plain(v, "ab ab<|x|>111"), (Ids{3, 4, 5, 7, 6}));
  v.pre = "smollm";
  EXPECT_EQ(encode_plain(v, "ab ab<|x|>111"), (Ids{3, 4, 5, 6, 6, 6}));
  v.pre = "llama-bpe";
  v.bos_id = 5;
  EXPECT_EQ(encode_plain(v, "ab"), (Ids{5, 3}));
  v.add_bos = false;
  EXPECT_EQ(encode_plain(v, "ab"), (Ids{3}));
}

TEST(Gpt2Vocabulary, EveryNamedPreTokenizerCompilesAndKeepsAllText) {
  PlainVocabulary v = small_gpt2();
  for (const char* name :
       {"default", "gpt-2", "phi-2", "llama-bpe", "llama3", "llama-v3", "dbrx", "smaug-bpe",
        "qwen2", "deepseek-r1-qwen", "stablelm2", "tekken", "gpt-4o", "smollm", "starcoder",
        "refact", "command-r", "deepseek-llm", "deepseek-coder"}) {
    v.pre = name;
    const auto tokenizer = Tokenizer::from_vocabulary(v, "gguf");
    ASSERT_TRUE(tokenizer) << error_of(tokenizer);
    const std::string text = "ab  a1b 11ab b";
    EXPECT_EQ(tokenizer->decode(*tokenizer->encode(text)), text) << name;
  }
}

std::string refusal(const PlainVocabulary& vocabulary) {
  return error_of(Tokenizer::from_vocabulary(vocabulary, "gguf"));
}

TEST(PlainVocabulary, RefusesWhatItDoesNotKnowByName) {
  PlainVocabulary v = small_gpt2();
  v.model = "bert";
  EXPECT_EQ(refusal(v), "gguf: tokenizer model 'bert' is not supported (supported: llama, gpt2)");
  v.model = "gpt2";
  v.pre = "jais-2";
  EXPECT_TRUE(refusal(v).starts_with("gguf: pre-tokenizer 'jais-2' is not known (known: gpt-2, "));
}

TEST(PlainVocabulary, RefusesListsThatDoNotFit) {
  PlainVocabulary v = small_llama();
  v.scores.pop_back();
  EXPECT_EQ(refusal(v), "gguf: 11 scores for 12 pieces, expected one a piece");
  v = small_llama();
  v.kinds.push_back(PieceKind::normal);
  EXPECT_EQ(refusal(v), "gguf: 13 token types for 12 pieces, expected one a piece");
  v = small_llama();
  v.kinds[4] = static_cast<PieceKind>(7);
  EXPECT_EQ(refusal(v), "gguf: piece 4 has token type 7, expected 1 to 6");
  v = small_llama();
  v.kinds[4] = PieceKind::byte;
  EXPECT_EQ(refusal(v), "gguf: piece 4 is 'a' and of type byte, expected <0x00> to <0xFF>");
  v = small_llama();
  v.scores[4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(refusal(v), "gguf: the score of piece 4 is not a number");
  v = small_llama();
  v.pieces[4] = "b";
  EXPECT_EQ(refusal(v), "gguf: piece 'b' has both id 4 and id 5");
  v = small_llama();
  v.pieces[4] = "a\xff";
  EXPECT_EQ(refusal(v), "gguf: piece 4 has byte 0xff at 1, expected UTF-8");
  v = small_llama();
  v.pieces[4] = std::string(1000, 'a');
  EXPECT_EQ(refusal(v), "gguf: piece 4 has 1000 bytes, expected at most 256");
  v = PlainVocabulary{.model = "gpt2"};
  EXPECT_EQ(refusal(v), "gguf: the vocabulary has 0 pieces, expected 1 to 16777216");
}

TEST(PlainVocabulary, RefusesSpecialsThatAreNotThere) {
  PlainVocabulary v = small_llama();
  v.eos_id = 12;
  EXPECT_EQ(refusal(v), "gguf: the eos token has id 12, expected less than 12");
  v = small_llama();
  v.bos_id = 11;  // a hole
  EXPECT_EQ(refusal(v), "gguf: post_processor: id 11 is not in the vocabulary");
  v = small_gpt2();
  v.add_bos = true;
  EXPECT_EQ(refusal(v), "gguf: texts are to begin with the bos token, but the file names none");
  v.add_bos = false;
  v.add_eos = true;
  EXPECT_EQ(refusal(v), "gguf: texts are to end with the eos token, but the file names none");
}

TEST(PlainVocabulary, RefusesMergesOfNothing) {
  PlainVocabulary v = small_gpt2();
  v.merges.push_back("a c");
  EXPECT_EQ(refusal(v), "gguf: merge 3 needs piece 'c', which is not there");
  v.merges.back() = "b a";
  EXPECT_EQ(refusal(v), "gguf: merge 3 needs piece 'ba', which is not there");
  v.merges.back() = "a";
  EXPECT_EQ(refusal(v), "gguf: merge 3 is 'a', expected two pieces and a space");
  v.merges.back() = "a b c";
  EXPECT_EQ(refusal(v), "gguf: merge 3 is 'a b c', expected two pieces and a space");
  v.merges.back() = "a \xff";
  EXPECT_EQ(refusal(v), "gguf: merge 3 needs piece '\uFFFD', which is not there");
}

TEST(PlainExport, SaysWhatTheListsCannotSay) {
  const auto losses = [](std::string_view model, std::string_view sections) {
    const auto made =
        plain_vocabulary(fmt::format(R"({{"model": {}, {}}})", model, sections), "t.json", {});
    EXPECT_TRUE(made) << error_of(made);
    EXPECT_EQ(made->losses.size(), 1u);
    return made && !made->losses.empty() ? made->losses[0] : std::string();
  };
  const auto model = R"({"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]})";
  EXPECT_TRUE(losses(model,
                     R"("pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                         {"type": "Split", "pattern": {"Regex": "x+"}, "behavior": "Isolated"},
                         {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})")
                  .starts_with("t.json: the pre-tokenizer is none of those with a name"));
  const auto byte_level = R"("pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false})";
  EXPECT_EQ(losses(model, std::string(byte_level) + R"(, "normalizer": {"type": "NFKC"})"),
            "t.json: the normalizer is not that of pre-tokenizer 'gpt-2', which readers will use");
  EXPECT_EQ(losses(model, std::string(byte_level) +
                              R"(, "added_tokens": [{"id": 3, "content": "<x>", "lstrip": true}])"),
            "t.json: 1 added tokens, such as '<x>', treat the text around them in a way (lstrip, "
            "rstrip, single_word, normalized) that a GGUF vocabulary cannot say");
}

TEST(PlainExport, RefusesWhatNoListCanSay) {
  const auto refused = [](std::string_view json) {
    return error_of(plain_vocabulary(json, "t.json", {}));
  };
  EXPECT_EQ(refused(R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}})"),
            "t.json: the tokenizer has neither a ByteLevel pre-tokenizer nor byte fallback, "
            "expected one of them; a GGUF vocabulary cannot say another");
  EXPECT_EQ(refused(R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [],
                        "end_of_word_suffix": "</w>"}})"),
            "t.json: model: 'end_of_word_suffix' is '</w>', expected none; a GGUF vocabulary "
            "cannot say it");
  EXPECT_TRUE(refused("{").starts_with("t.json: "));
  const auto made = plain_vocabulary(tokenizer_json("qwen2"), "t.json", {.bos = "<none>"});
  EXPECT_EQ(error_of(made), "t.json: the special token '<none>' is not in the vocabulary");
}

}  // namespace
}  // namespace handloom::tokenizer
