#include "tokenizer/plain_model.h"

#include "base/sort.h"
#include "tokenizer/named_pre.h"
#include "tokenizer/utf8.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace handloom::tokenizer {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";
// Every split of a piece is looked up: the square of this many bytes. Trained pieces are far below.
constexpr size_t kMaxMergedBytes = 256;

class Builder {
 public:
  Builder(const PlainVocabulary& vocabulary, const std::string& where)
      : in_(vocabulary), where_(where), kinds_(vocabulary.kinds) {}

  Result<PlainModel> build() {
    is_llama_ = in_.model == "llama";
    if (!is_llama_ && in_.model != "gpt2") {
      return fail(ErrorCode::unsupported,
                  "{}: tokenizer model '{}' is not supported (supported: llama, gpt2)", where_,
                  in_.model);
    }
    CHECK_OK(find_pre());
    CHECK_OK(check_sizes());
    CHECK_OK(check_specials());
    if (kinds_.empty()) guess_kinds();
    CHECK_OK(add_pieces());
    if (is_llama_) {
      CHECK_OK(make_llama_model());
    } else {
      CHECK_OK(make_gpt2_model());
    }
    write_sections();
    CHECK_OK(write_post_processor());
    return std::move(out_);
  }

 private:
  Result<void> find_pre() {
    if (is_llama_) return {};
    pre_ = find_named_pre(in_.pre);
    if (pre_ != nullptr) return {};
    return fail(ErrorCode::unsupported, "{}: pre-tokenizer '{}' is not known (known: {})", where_,
                in_.pre, named_pre_list());
  }

  Result<void> check_sizes() const {
    const size_t n = in_.pieces.size();
    if (n == 0 || n > kIdLimit) {
      return fail(ErrorCode::bad_format, "{}: the vocabulary has {} pieces, expected 1 to {}",
                  where_, n, kIdLimit);
    }
    if (!in_.kinds.empty() && in_.kinds.size() != n) {
      return fail(ErrorCode::bad_format, "{}: {} token types for {} pieces, expected one a piece",
                  where_, in_.kinds.size(), n);
    }
    if (is_llama_ && in_.scores.size() != n) {
      return fail(ErrorCode::bad_format, "{}: {} scores for {} pieces, expected one a piece",
                  where_, in_.scores.size(), n);
    }
    return {};
  }

  Result<void> check_specials() const {
    const std::pair<const char*, std::optional<uint32_t>> specials[] = {{"bos", in_.bos_id},
                                                                        {"eos", in_.eos_id},
                                                                        {"unknown", in_.unk_id},
                                                                        {"padding", in_.pad_id},
                                                                        {"eot", in_.eot_id}};
    for (const auto& [name, id] : specials) {
      if (!id || *id < in_.pieces.size()) continue;
      return fail(ErrorCode::bad_format, "{}: the {} token has id {}, expected less than {}",
                  where_, name, *id, in_.pieces.size());
    }
    return {};
  }

  /// For files that give no kinds: bytes by their names, and the ids that end and begin a text.
  void guess_kinds() {
    kinds_.assign(in_.pieces.size(), PieceKind::normal);
    if (is_llama_) {
      for (size_t id = 0; id < kinds_.size(); ++id) {
        if (is_byte_piece(in_.pieces[id])) kinds_[id] = PieceKind::byte;
      }
    }
    for (const auto id : {in_.bos_id, in_.eos_id, in_.eot_id}) {
      if (id) kinds_[*id] = PieceKind::control;
    }
    if (is_llama_ && in_.unk_id) kinds_[*in_.unk_id] = PieceKind::unknown;
  }

  Result<void> check_piece(uint32_t id) const {
    const std::string& piece = in_.pieces[id];
    if (const auto at = find_invalid_utf8(piece)) {
      return fail(ErrorCode::bad_format, "{}: piece {} has byte 0x{:02x} at {}, expected UTF-8",
                  where_, id, static_cast<unsigned char>(piece[*at]), *at);
    }
    const auto kind = static_cast<uint8_t>(kinds_[id]);
    if (kind < 1 || kind > 6) {
      return fail(ErrorCode::bad_format, "{}: piece {} has token type {}, expected 1 to 6", where_,
                  id, kind);
    }
    if (is_llama_ && kinds_[id] == PieceKind::byte && !is_byte_piece(piece)) {
      return fail(ErrorCode::bad_format,
                  "{}: piece {} is '{}' and of type byte, expected <0x00> to <0xFF>", where_, id,
                  piece);
    }
    if (is_llama_ && std::isnan(in_.scores[id])) {
      return fail(ErrorCode::bad_format, "{}: the score of piece {} is not a number", where_, id);
    }
    return {};
  }

  bool is_hole(uint32_t id) const {
    const std::string& piece = in_.pieces[id];
    return piece.empty() || (kinds_[id] == PieceKind::unused && piece == hole_piece(id));
  }

  static bool is_cut_out(PieceKind kind) {
    return kind == PieceKind::control || kind == PieceKind::user_defined ||
           kind == PieceKind::unknown;
  }

  Result<void> add_pieces() {
    const bool phi3 = is_llama_ && is_phi3(in_);
    Json added = Json::array();
    for (uint32_t id = 0; id < in_.pieces.size(); ++id) {
      CHECK_OK(check_piece(id));
      if (is_hole(id)) continue;
      const std::string& piece = in_.pieces[id];
      const PieceKind kind = kinds_[id];
      // The unknown piece is both: text may spell it, and the model answers it.
      if (!is_cut_out(kind) || kind == PieceKind::unknown) {
        CHECK_OK(out_.pieces.add(piece, id, where_));
      }
      if (!is_cut_out(kind)) continue;
      const bool special = kind != PieceKind::user_defined;
      Json token = Json::object();
      token["id"] = id;
      token["content"] = piece;
      token["special"] = special;
      token["normalized"] = false;
      token["rstrip"] = phi3 && special && phi3_swallows_spaces(piece);
      added.push_back(std::move(token));
    }
    out_.sections["added_tokens"] = std::move(added);
    return {};
  }

  /// The unknown piece, if the file has one.
  std::optional<std::string> unk_token() const {
    if (in_.unk_id && !is_hole(*in_.unk_id)) return in_.pieces[*in_.unk_id];
    const auto found = std::ranges::find(kinds_, PieceKind::unknown);
    if (found == kinds_.end()) return std::nullopt;
    const auto id = static_cast<uint32_t>(found - kinds_.begin());
    return is_hole(id) ? std::nullopt : std::optional(in_.pieces[id]);
  }

  Result<void> make_llama_model() {
    std::vector<uint32_t> ids;
    for (uint32_t id = 0; id < in_.pieces.size(); ++id) {
      if (kinds_[id] == PieceKind::normal && !is_hole(id)) ids.push_back(id);
    }
    sort_by(ids, [&](uint32_t id) { return -in_.scores[id]; });
    std::vector<TokenPair> pairs;
    uint32_t rank = 0;
    for (size_t i = 0; i < ids.size(); ++i) {
      // Equal scores are one rank: SentencePiece then takes the leftmost pair.
      if (i > 0 && in_.scores[ids[i]] != in_.scores[ids[i - 1]]) ++rank;
      CHECK_OK(append_splits(ids[i], rank, pairs));
    }
    out_.model = Bpe::of(
        out_.pieces, pairs,
        {.unk_token = unk_token(), .fuse_unk = true, .byte_fallback = true, .ignore_merges = false},
        where_);
    return {};
  }

  /// Every way to make piece `id` of two pieces.
  Result<void> append_splits(uint32_t id, uint32_t rank, std::vector<TokenPair>& pairs) const {
    const std::string_view piece = in_.pieces[id];
    if (piece.size() > kMaxMergedBytes) {
      return fail(ErrorCode::unsupported, "{}: piece {} has {} bytes, expected at most {}", where_,
                  id, piece.size(), kMaxMergedBytes);
    }
    const auto part = [&](std::string_view text) {
      const auto found = out_.pieces.id_of(text);
      return found && kinds_[*found] == PieceKind::normal ? found : std::nullopt;
    };
    for (size_t at = utf8_length(piece[0]); at < piece.size(); at += utf8_length(piece[at])) {
      const auto left = part(piece.substr(0, at)), right = part(piece.substr(at));
      if (left && right) pairs.push_back({*left, *right, {rank, id}});
    }
    return {};
  }

  Result<void> make_gpt2_model() {
    std::vector<TokenPair> pairs;
    if (in_.merges.size() > kIdLimit) {
      return fail(ErrorCode::bad_format, "{}: {} merges, expected at most {}", where_,
                  in_.merges.size(), kIdLimit);
    }
    pairs.reserve(in_.merges.size());
    for (uint32_t rank = 0; rank < in_.merges.size(); ++rank) {
      TRY(const TokenPair pair, read_merge(rank));
      pairs.push_back(pair);
    }
    out_.model = Bpe::of(out_.pieces, pairs,
                         {.unk_token = {}, .ignore_merges = pre_->ignore_merges}, where_);
    return {};
  }

  Result<TokenPair> read_merge(uint32_t rank) const {
    const std::string_view merge = in_.merges[rank];
    const size_t space = merge.find(' ');
    if (space == merge.npos || merge.find(' ', space + 1) != merge.npos) {
      return fail(ErrorCode::bad_format, "{}: merge {} is '{}', expected two pieces and a space",
                  where_, rank, printable(merge));
    }
    const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
    const auto id_of = [&](std::string_view piece) -> Result<uint32_t> {
      if (const auto id = out_.pieces.id_of(piece)) return *id;
      return fail(ErrorCode::bad_format, "{}: merge {} needs piece '{}', which is not there",
                  where_, rank, printable(piece));
    };
    TRY(const uint32_t left_id, id_of(left));
    TRY(const uint32_t right_id, id_of(right));
    TRY(const uint32_t token, id_of(std::string(left) + std::string(right)));
    return TokenPair{left_id, right_id, {rank, token}};
  }

  /// Merges are not checked for UTF-8 before they are looked up; an error message must be text.
  static std::string printable(std::string_view text) {
    LossyUtf8 lossy;
    std::string out;
    lossy.push(text, out);
    lossy.finish(out);
    return out;
  }

  void write_sections() {
    if (is_llama_) {
      write_llama_sections();
    } else {
      write_gpt2_sections();
    }
  }

  /// Text of ours.
  static Json json_of(std::string_view text) { return Json::parse(text, nullptr, false); }

  void write_llama_sections() {
    const bool prefix = in_.add_space_prefix.value_or(true);
    out_.sections["normalizer"] = json_of(fmt::format(
        R"({{"type": "Sequence", "normalizers": [{}
            {{"type": "Replace", "pattern": {{"String": " "}}, "content": "{}"}}]}})",
        prefix ? fmt::format(R"({{"type": "Prepend", "prepend": "{}"}},)", kSpaceMark) : "",
        kSpaceMark));
    out_.sections["decoder"] = json_of(fmt::format(
        R"({{"type": "Sequence", "decoders": [
            {{"type": "Replace", "pattern": {{"String": "{}"}}, "content": " "}},
            {{"type": "ByteFallback"}}, {{"type": "Fuse"}}{}]}})",
        kSpaceMark, prefix ? R"(, {"type": "Strip", "content": " ", "start": 1, "stop": 0})" : ""));
  }

  void write_gpt2_sections() {
    if (pre_->nfc) out_.sections["normalizer"] = json_of(R"({"type": "NFC"})");
    Json steps = Json::array();
    for (const std::string_view pattern : pre_->patterns) {
      Json step = json_of(R"({"type": "Split", "behavior": "Isolated", "invert": false})");
      step["pattern"]["Regex"] = pattern;
      steps.push_back(std::move(step));
    }
    steps.push_back(
        json_of(R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})"));
    Json& pre_tokenizer = out_.sections["pre_tokenizer"];
    pre_tokenizer["type"] = "Sequence";
    pre_tokenizer["pretokenizers"] = std::move(steps);
    out_.sections["decoder"] = json_of(R"({"type": "ByteLevel"})");
  }

  /// The id that begins each text, if the file does not say that none does.
  Result<std::optional<uint32_t>> bos() const {
    const bool wanted = in_.add_bos.value_or(is_llama_ || pre_->add_bos);
    if (!wanted || in_.bos_id) return wanted ? in_.bos_id : std::nullopt;
    // SentencePiece's own default.
    if (is_llama_ && kinds_.size() > 1 && kinds_[1] == PieceKind::control) return 1u;
    if (!in_.add_bos) return std::nullopt;
    return fail(ErrorCode::bad_format,
                "{}: texts are to begin with the bos token, but the file names none", where_);
  }

  Result<void> write_post_processor() {
    TRY(const auto bos_id, bos());
    const bool add_eos = in_.add_eos.value_or(false);
    if (add_eos && !in_.eos_id) {
      return fail(ErrorCode::bad_format,
                  "{}: texts are to end with the eos token, but the file names none", where_);
    }
    const auto token = [](std::string_view name) {
      return fmt::format(R"({{"SpecialToken": {{"id": "{}"}}}})", name);
    };
    const auto ids = [](std::string_view name, uint32_t id) {
      return fmt::format(R"("{}": {{"ids": [{}]}})", name, id);
    };
    out_.sections["post_processor"] = json_of(fmt::format(
        R"({{"type": "TemplateProcessing",
             "single": [{} {{"Sequence": {{"id": "A"}}}} {}],
             "special_tokens": {{{} {}}}}})",
        bos_id ? token("bos") + "," : "", add_eos ? "," + token("eos") : "",
        bos_id ? ids("bos", *bos_id) + (add_eos ? "," : "") : "",
        add_eos ? ids("eos", *in_.eos_id) : ""));
    return {};
  }

  const PlainVocabulary& in_;
  const std::string& where_;
  std::vector<PieceKind> kinds_;
  bool is_llama_ = false;
  const NamedPre* pre_ = nullptr;
  PlainModel out_{{}, {}, Json::object()};
};

}  // namespace

Result<PlainModel> plain_model(const PlainVocabulary& vocabulary, const std::string& where) {
  return Builder(vocabulary, where).build();
}

std::string hole_piece(uint32_t id) { return fmt::format("[PAD{}]", id); }

bool is_byte_piece(std::string_view piece) {
  return piece.size() == 6 && piece.starts_with("<0x") && piece[5] == '>' &&
         piece.substr(3, 2).find_first_not_of("0123456789ABCDEF") == piece.npos;
}

bool is_phi3(const PlainVocabulary& vocabulary) {
  if (vocabulary.kinds.size() != vocabulary.pieces.size()) return false;
  int n_found = 0;
  for (size_t id = 0; id < vocabulary.pieces.size(); ++id) {
    const std::string& piece = vocabulary.pieces[id];
    const bool is_turn = piece == "<|user|>" || piece == "<|assistant|>" || piece == "<|end|>";
    if (is_turn && vocabulary.kinds[id] == PieceKind::control) ++n_found;
  }
  return n_found == 3;
}

bool phi3_swallows_spaces(std::string_view control_piece) {
  return control_piece != "<unk>" && control_piece != "<s>" && control_piece != "</s>" &&
         control_piece != "<|endoftext|>";
}

}  // namespace handloom::tokenizer
