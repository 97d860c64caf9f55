// Writes a checkpoint of Hugging Face's with its matrices quantised as several tensors each, the
// two ways that formats/grouped.h reads. The encoders are the formats' definitions in plain loops.
#pragma once

#include "tests/support/mlc_writer.h"

#include <deque>
#include <functional>

namespace handloom::test {

/// Copies everything but the weights, with `config` as config.json.
inline void copy_beside(const std::string& from, const std::string& to, const Json& config) {
  std::filesystem::create_directories(to);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
                           "generation_config.json"}) {
    if (!file_exists(from + "/" + file)) continue;
    std::filesystem::copy_file(from + "/" + file, to + "/" + file,
                               std::filesystem::copy_options::overwrite_existing);
  }
  write_text(to + "/config.json", config.dump(1));
}

/// Tensors of a safetensors file to be, with the bytes they point to.
class TensorList {
 public:
  void add(const formats::TensorInfo& tensor) { tensors_.push_back(tensor); }

  template <class T>
  void add(const std::string& name, DType dtype, Shape shape, const std::vector<T>& values) {
    const auto raw = std::as_bytes(std::span(values));
    const auto& kept = bytes_.emplace_back(raw.begin(), raw.end());
    tensors_.push_back({.name = name, .dtype = dtype, .shape = shape, .bytes = kept});
  }

  void write(const std::string& path) const {
    if (const auto done = formats::write_safetensors(path, tensors_); !done) {
      throw std::runtime_error(done.error().message);
    }
  }

 private:
  std::vector<formats::TensorInfo> tensors_;
  std::deque<std::vector<std::byte>> bytes_;
};

/// Every matrix with whole groups of `group` goes through `quantise`; the rest stays.
inline void write_grouped(
    const std::string& from, const std::string& to, const Json& config, uint32_t group,
    const std::function<void(const formats::TensorInfo&, const std::vector<float>&, TensorList&)>&
        quantise) {
  copy_beside(from, to, config);
  const formats::Checkpoint checkpoint = must(formats::open_safetensors(from));
  TensorList list;
  for (const formats::TensorInfo& tensor : checkpoint.tensors()) {
    if (tensor.shape.rank() == 2 && tensor.shape.dim(1) % group == 0) {
      quantise(tensor, must(formats::to_f32(tensor)), list);
    } else {
      list.add(tensor);
    }
  }
  list.write(to + "/model.safetensors");
}

/// value = code * scale, the scale a 127th of the block's largest magnitude.
inline void write_int8_block(const std::string& from, const std::string& to, uint32_t block) {
  const auto quantise = [block](const formats::TensorInfo& tensor, const std::vector<float>& values,
                                TensorList& list) {
    std::vector<int8_t> codes(values.size());
    std::vector<float> scales(values.size() / block);
    for (size_t b = 0; b < scales.size(); ++b) {
      float largest = 0;
      for (size_t i = b * block; i < (b + 1) * block; ++i) {
        largest = std::max(largest, std::abs(values[i]));
      }
      scales[b] = largest / 127;
      for (size_t i = b * block; i < (b + 1) * block; ++i) {
        codes[i] = static_cast<int8_t>(scales[b] == 0 ? 0 : std::round(values[i] / scales[b]));
      }
    }
    const uint32_t rows = tensor.shape.dim(0), columns = tensor.shape.dim(1);
    list.add(tensor.name + "_q", DType::i8, {rows, columns}, codes);
    list.add(tensor.name + "_scale", DType::f32, {rows, columns / block}, scales);
  };
  write_grouped(from, to, read_json(from + "/config.json"), block, quantise);
}

/// value = scale * code + bias, codes of 4 bits, lowest first in u32 words; scale and bias are
/// rounded to f16 before they are used.
inline void write_mlx(const std::string& from, const std::string& to, uint32_t group) {
  const auto quantise = [group](const formats::TensorInfo& tensor, const std::vector<float>& values,
                                TensorList& list) {
    std::vector<uint32_t> words(values.size() / 8, 0);
    std::vector<uint16_t> scales, biases;
    for (size_t begin = 0; begin < values.size(); begin += group) {
      const auto [low, high] =
          std::minmax_element(values.begin() + static_cast<ptrdiff_t>(begin),
                              values.begin() + static_cast<ptrdiff_t>(begin + group));
      scales.push_back(f32_to_f16((*high - *low) / 15));
      biases.push_back(f32_to_f16(*low));
      const float scale = f16_to_f32(scales.back()), bias = f16_to_f32(biases.back());
      for (size_t i = begin; i < begin + group; ++i) {
        const float steps = scale == 0 ? 0 : std::round((values[i] - bias) / scale);
        words[i / 8] |= static_cast<uint32_t>(std::clamp(steps, 0.0f, 15.0f)) << (4 * (i % 8));
      }
    }
    const uint32_t rows = tensor.shape.dim(0), columns = tensor.shape.dim(1);
    const std::string base = tensor.name.substr(0, tensor.name.rfind(".weight"));
    list.add(base + ".weight", DType::u32, {rows, columns / 8}, words);
    list.add(base + ".scales", DType::f16, {rows, columns / group}, scales);
    list.add(base + ".biases", DType::f16, {rows, columns / group}, biases);
  };
  Json config = read_json(from + "/config.json");
  config["quantization"] = {{"group_size", group}, {"bits", 4}};
  config["quantization_config"] = config["quantization"];
  write_grouped(from, to, config, group, quantise);
}

}  // namespace handloom::test
