#include "tokenizer/tokenizer.h"

#include "base/file.h"
#include "base/json.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe.h"
#include "tokenizer/decoder.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/plain_model.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/utf8.h"

#include <algorithm>

namespace handloom::tokenizer {
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 30;
constexpr size_t kMaxFileBytes = size_t{1} << 28;

}  // namespace

struct Tokenizer::Parts {
  std::string where;
  Vocabulary pieces;  // the model's
  Bpe model;
  Normalizer normalizer;
  AddedTokens added;
  PreTokenizer pre_tokenizer;
  PostProcessor post_processor;
  Decoder decoder;

  const std::string* piece(uint32_t id) const {
    const std::string* piece = pieces.piece(id);
    return piece ? piece : added.own_pieces().piece(id);
  }

  Result<void> read(const JsonObject& root);
  Result<void> read_sections(const JsonObject& root);
  Result<void> encode_segment(std::string_view text, bool at_start, Bpe::Scratch& scratch,
                              std::vector<uint32_t>& ids) const;
  Result<void> encode_words(std::string_view text, bool at_start, Bpe::Scratch& scratch,
                            std::vector<uint32_t>& ids) const;
  Result<void> decode_one(uint32_t id, bool skip_specials, Decoder& into, std::string& out) const;
};

Result<void> Tokenizer::Parts::read(const JsonObject& root) {
  TRY(model, Bpe::read(root, pieces));
  return read_sections(root);
}

/// All but the model.
Result<void> Tokenizer::Parts::read_sections(const JsonObject& root) {
  TRY(normalizer, Normalizer::read(root));
  TRY(added, AddedTokens::read(root, normalizer, pieces));
  TRY(pre_tokenizer, PreTokenizer::read(root));
  const auto is_known = [this](uint32_t id) { return piece(id) != nullptr; };
  TRY(post_processor, PostProcessor::read(root, is_known));
  TRY(decoder, Decoder::read(root));
  return {};
}

Tokenizer::Tokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
Tokenizer::Tokenizer(const Tokenizer&) = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(const Tokenizer&) = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::parse(std::string_view tokenizer_json, std::string where) {
  TRY(const Json& json, parse_json(tokenizer_json, where));
  TRY(const JsonObject& root, JsonObject::from(json, where));
  auto parts = std::make_shared<Parts>();
  parts->where = std::move(where);
  CHECK_OK(parts->read(root));
  return Tokenizer(std::move(parts));
}

Result<Tokenizer> Tokenizer::load(const std::string& path) {
  TRY(const std::string& text, read_text_file(path, kMaxFileBytes));
  return parse(text, path);
}

Result<Tokenizer> Tokenizer::from_vocabulary(const PlainVocabulary& vocabulary, std::string where) {
  if (!vocabulary.tokenizer_json.empty()) {
    return parse(vocabulary.tokenizer_json, std::move(where));
  }
  TRY(PlainModel plain, plain_model(vocabulary, where));
  TRY(const JsonObject& sections, JsonObject::from(plain.sections, where));
  auto parts = std::make_shared<Parts>();
  parts->where = std::move(where);
  parts->pieces = std::move(plain.pieces);
  parts->model = std::move(plain.model);
  CHECK_OK(parts->read_sections(sections));
  return Tokenizer(std::move(parts));
}

Result<std::vector<uint32_t>> Tokenizer::encode(std::string_view text,
                                                EncodeOptions options) const {
  if (text.size() > kMaxTextBytes) {
    return fail(ErrorCode::invalid_argument, "encode: text has {} bytes, expected at most {}",
                text.size(), kMaxTextBytes);
  }
  if (const auto at = find_invalid_utf8(text)) {
    return fail(ErrorCode::invalid_argument, "encode: text has byte 0x{:02x} at {}, expected UTF-8",
                static_cast<unsigned char>(text[*at]), *at);
  }
  std::vector<uint32_t> ids;
  Bpe::Scratch scratch;
  for (const auto& segment : parts_->added.split(text, AddedTokens::Pass::raw)) {
    if (segment.id) {
      ids.push_back(*segment.id);
      continue;
    }
    const std::string_view between = text.substr(segment.begin, segment.end - segment.begin);
    CHECK_OK(parts_->encode_segment(between, segment.begin == 0, scratch, ids));
  }
  return options.add_specials ? parts_->post_processor.apply(std::move(ids)) : std::move(ids);
}

/// Text without tokens of the first pass: normalises it and looks for those of the second.
Result<void> Tokenizer::Parts::encode_segment(std::string_view text, bool at_start,
                                              Bpe::Scratch& scratch,
                                              std::vector<uint32_t>& ids) const {
  TRY(const std::string& normalized, normalizer.apply(text));
  for (const auto& segment : added.split(normalized, AddedTokens::Pass::normalized)) {
    if (segment.id) {
      ids.push_back(*segment.id);
      continue;
    }
    const std::string_view between =
        std::string_view(normalized).substr(segment.begin, segment.end - segment.begin);
    CHECK_OK(encode_words(between, at_start && segment.begin == 0, scratch, ids));
  }
  return {};
}

Result<void> Tokenizer::Parts::encode_words(std::string_view text, bool at_start,
                                            Bpe::Scratch& scratch,
                                            std::vector<uint32_t>& ids) const {
  TRY(const Words words, pre_tokenizer.split(std::string(text), at_start));
  for (size_t i = 0; i < words.parts.size(); ++i) {
    CHECK_OK(model.encode(words.part(i), pieces, scratch, ids));
  }
  return {};
}

Result<void> Tokenizer::Parts::decode_one(uint32_t id, bool skip_specials, Decoder& into,
                                          std::string& out) const {
  const std::string* text = piece(id);
  if (text == nullptr) {
    return fail(ErrorCode::invalid_argument,
                "{}: decode: id {} has no piece, expected one below {}", where, id,
                std::max(pieces.size(), added.own_pieces().size()));
  }
  if (skip_specials && added.is_special(id)) return {};
  return into.push(*text, out);
}

Result<std::string> Tokenizer::decode(std::span<const uint32_t> ids, bool skip_specials) const {
  Decoder decoder = parts_->decoder;
  std::string text;
  for (const uint32_t id : ids) {
    CHECK_OK(parts_->decode_one(id, skip_specials, decoder, text));
  }
  CHECK_OK(decoder.finish(text));
  return text;
}

bool Tokenizer::has_id(uint32_t id) const { return parts_->piece(id) != nullptr; }

std::string_view Tokenizer::piece(uint32_t id) const {
  const std::string* piece = parts_->piece(id);
  return piece ? std::string_view(*piece) : std::string_view();
}

std::optional<uint32_t> Tokenizer::id_of(std::string_view piece) const {
  const auto id = parts_->pieces.id_of(piece);
  return id ? id : parts_->added.own_pieces().id_of(piece);
}

bool Tokenizer::is_special(uint32_t id) const { return parts_->added.is_special(id); }

uint32_t Tokenizer::vocab_size() const {
  return std::max(parts_->pieces.size(), parts_->added.own_pieces().size());
}

struct StreamDecoder::State {
  std::shared_ptr<const Tokenizer::Parts> parts;
  Decoder decoder;
  bool skip_specials;
};

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_specials)
    : state_(std::make_unique<State>(
          State{tokenizer.parts_, tokenizer.parts_->decoder, skip_specials})) {}
StreamDecoder::StreamDecoder(StreamDecoder&&) noexcept = default;
StreamDecoder& StreamDecoder::operator=(StreamDecoder&&) noexcept = default;
StreamDecoder::~StreamDecoder() = default;

Result<std::string> StreamDecoder::push(uint32_t id) {
  std::string text;
  CHECK_OK(state_->parts->decode_one(id, state_->skip_specials, state_->decoder, text));
  return text;
}

Result<std::string> StreamDecoder::finish() {
  std::string text;
  CHECK_OK(state_->decoder.finish(text));
  return text;
}

}  // namespace handloom::tokenizer
