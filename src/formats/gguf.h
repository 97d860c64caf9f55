// GGUF: the metadata and the named tensors of a model in one file, or in numbered parts. Maps the
// files, trusts none of their bytes, and copies nothing: values and tensors point into them. Reads
// versions 2 and 3, little-endian, and the tensor types to which gguf_types.h gives a DType.
//
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include "formats/checkpoint.h"
#include "formats/gguf_metadata.h"

#include <span>
#include <string>
#include <vector>

namespace handloom::formats {

/// A tensor that open() would refuse, and what the file says of it.
struct UnreadTensor {
  std::string name, type;      // "IQ3_S"
  std::vector<uint64_t> dims;  // outermost first
};

class Gguf {
 public:
  /// Of a model in parts (NAME-00001-of-00003.gguf), any part will do; all lie in one folder.
  ///
  /// Errors: not_found (the file, or a part, which is named), bad_format (the bytes contradict the
  /// format), unsupported (another kind of file, a version, big endian, a tensor type, nested
  /// arrays).
  static Result<Gguf> open(const std::string& path);
  /// The same, but tensors of types that handloom does not read are left out and listed.
  static Result<Gguf> open(const std::string& path, std::vector<UnreadTensor>& unread);
  /// One file's bytes, which must outlive the result. `where` begins every error message.
  static Result<Gguf> parse(std::span<const std::byte> bytes, std::string where);

  /// Of all parts. Names are GGUF's, "blk.0.attn_q.weight"; shapes are outermost first, as
  /// everywhere here, so [out_dim, in_dim] for what the file calls (in_dim, out_dim).
  const Checkpoint& checkpoint() const { return checkpoint_; }
  /// The same, to keep when the metadata is no longer wanted.
  Checkpoint take_checkpoint() && { return std::move(checkpoint_); }
  /// Of the first part.
  const GgufMetadata& metadata() const { return metadata_; }
  const std::string& where() const { return metadata_.where(); }

 private:
  static Result<Gguf> open_with(const std::string& path, std::vector<UnreadTensor>* unread);
  Gguf(GgufMetadata metadata, Checkpoint checkpoint)
      : metadata_(std::move(metadata)), checkpoint_(std::move(checkpoint)) {}

  GgufMetadata metadata_;  // its values lie in the files that checkpoint_, or the caller, holds
  Checkpoint checkpoint_;
};

/// Whether the file begins as a GGUF file does.
bool is_gguf(std::span<const std::byte> bytes);

}  // namespace handloom::formats
