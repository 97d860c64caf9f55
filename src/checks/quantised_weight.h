// Weights by formula: quantised ones of blocks whose every code and scale occurs, and plain ones;
// as a file holds them, as the planes that repacking makes of them, and as the values that the
// plain reference reads.
#pragma once

#include "base/planes.h"
#include "base/random.h"
#include "checks/kernel_run.h"
#include "formats/checkpoint.h"
#include "formats/repack.h"
#include "ops/matrix.h"

#include <set>
#include <vector>

namespace handloom::checks {

struct QuantisedType {
  DType file;
  uint32_t group = 0;  // for types that leave it open
  DType scales = DType::f16;
};

/// All types of the axis `weight` that are quantised, with their file formats.
inline constexpr QuantisedType kQuantisedTypes[] = {{DType::q4_0},
                                                    {DType::q4_1},
                                                    {DType::q5_0},
                                                    {DType::q5_1},
                                                    {DType::q8_0},
                                                    {DType::q2_k},
                                                    {DType::q3_k},
                                                    {DType::q4_k},
                                                    {DType::q5_k},
                                                    {DType::q6_k},
                                                    {DType::iq4_nl},
                                                    {DType::mxfp4},
                                                    {DType::mlc_q4},
                                                    {DType::mlc_q3, 40},
                                                    {DType::mlc_q4f32, 32, DType::f32},
                                                    {DType::mlx_q4, 64},
                                                    {DType::mlx_q4, 128, DType::bf16},
                                                    {DType::int8_block, 32, DType::f32},
                                                    {DType::int8_block, 128, DType::f32}};

/// All types of the axis `weight`.
inline std::vector<QuantisedType> weight_types() {
  std::vector<QuantisedType> types = {{DType::f32}, {DType::f16}, {DType::bf16}};
  types.insert(types.end(), std::begin(kQuantisedTypes), std::end(kQuantisedTypes));
  return types;
}

/// The multiple that rows of a type must have: of a plain one for the kernels that take eight
/// values at once.
inline uint32_t row_multiple(const QuantisedType& type) {
  if (!is_quantised(type.file)) return 8;
  if (type.file == DType::mlc_q3) return 32;
  return std::max({32u, block_size(type.file).values, type.group});
}

class QuantisedWeight {
 public:
  QuantisedWeight(const QuantisedType& type, uint32_t rows, uint32_t in_dim, uint32_t salt) {
    const auto [block_values, block_bytes] = block_size(type.file);
    const uint32_t group = type.group > 0 ? type.group : 32;
    const uint64_t n_groups = uint64_t{rows} * ((in_dim + group - 1) / group);
    const uint64_t padded = type.file == DType::mlc_q3 ? n_groups * 40 : uint64_t{rows} * in_dim;
    bytes_.resize(padded / block_values * block_bytes);
    for (size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = byte(salt, i);
    put_scales(type.file, block_bytes);
    if (!is_quantised(type.file)) {
      const std::vector<uint32_t> words = to_words(ramp({rows, in_dim}, salt).values, type.file);
      std::memcpy(bytes_.data(), words.data(), bytes_.size());
    }
    info_ = {.name = "weight", .dtype = type.file, .shape = {rows, in_dim}, .bytes = bytes_};
    if (type.file < DType::mlc_q4) return;
    for (auto* list : {&scales_, &biases_}) {
      list->resize(n_groups * dtype_bytes(type.scales));
      for (size_t i = 0; i < n_groups; ++i) {
        put_scale(*list, i, type.scales, (static_cast<float>(i % 61) - 30.5f) / 64);
      }
    }
    info_.scales = scales_;
    if (type.file == DType::mlx_q4) info_.biases = biases_;
    info_.scale_dtype = type.scales;
    info_.group = group;
  }
  QuantisedWeight(const QuantisedWeight&) = delete;

  const formats::TensorInfo& info() const { return info_; }
  /// What the reference makes of the file's bytes.
  Host values() const { return Host(info_.shape, formats::to_f32(info_).value()); }

  /// As an input of `run`, in parts of at most `part_rows` rows.
  ops::Matrix on_gpu(KernelRun& run, uint32_t part_rows = ~0u) const {
    ops::Matrix matrix;
    const uint32_t rows = info_.shape.dim(0), in_dim = info_.shape.dim(1);
    for (uint32_t first = 0; first < rows; first += std::min(part_rows, rows - first)) {
      const uint32_t n = std::min(part_rows, rows - first);
      const uint32_t group = info_.group > 0 ? info_.group : 32;
      const PlaneLayout layout = plane_layout(gpu_dtype(info_.dtype), n, in_dim, group);
      std::vector<uint32_t> words(layout.n_words);
      for (uint32_t row = 0; row < n; ++row) {
        formats::RowPlanes out{};
        for (size_t p = 0; p < kPlanes; ++p) {
          out[p] = words.data() + layout.first_word[p] + size_t{row} * layout.words_per_row[p];
        }
        if (auto packed = formats::repack_row(info_, first + row, layout, out); !packed) {
          run.encoder().fail(packed.error().message);
        }
      }
      gpu::Tensor tensor = run.in("weight", words);
      tensor.packed_bytes = layout.bytes();
      tensor.dtype = layout.dtype;
      tensor.shape = {n, in_dim};
      matrix.parts.push_back({.first_row = first, .tensor = tensor, .group = group});
    }
    return matrix;
  }

 private:
  static std::byte byte(uint32_t salt, size_t i) {
    return static_cast<std::byte>(random_bits(salt, 7, static_cast<uint32_t>(i)) >> 13);
  }

  static void put_scale(std::vector<std::byte>& list, size_t i, DType dtype, float value) {
    const uint16_t half = dtype == DType::f16 ? f32_to_f16(value) : f32_to_bf16(value);
    if (dtype == DType::f32) std::memcpy(list.data() + 4 * i, &value, 4);
    if (dtype != DType::f32) std::memcpy(list.data() + 2 * i, &half, 2);
  }

  /// Random bits make random codes, but would make infinite scales: those get values of their own.
  void put_scales(DType dtype, uint32_t block_bytes) {
    const auto halves_at = [dtype]() -> std::vector<uint32_t> {
      switch (dtype) {
        case DType::q4_0:
        case DType::q5_0:
        case DType::q8_0:
        case DType::iq4_nl: return {0};
        case DType::q4_1:
        case DType::q5_1:
        case DType::q4_k:
        case DType::q5_k: return {0, 2};
        case DType::q2_k: return {80, 82};
        case DType::q3_k: return {108};
        case DType::q6_k: return {208};
        default: return {};
      }
    }();
    for (size_t block = 0; (block + 1) * block_bytes <= bytes_.size(); ++block) {
      for (const uint32_t at : halves_at) {
        // Signed, all mantissa bits in use, neither tiny nor huge.
        const uint32_t bits = random_bits(at, 1, static_cast<uint32_t>(block));
        const auto half = static_cast<uint16_t>((bits & 0x83ffu) | (8 + bits / 65536 % 8) << 10);
        std::memcpy(bytes_.data() + block * block_bytes + at, &half, 2);
      }
      if (dtype == DType::mxfp4) {
        bytes_[block * block_bytes] = static_cast<std::byte>(120 + block % 16);
      }
    }
  }

  std::vector<std::byte> bytes_, scales_, biases_;
  formats::TensorInfo info_;
};

}  // namespace handloom::checks
