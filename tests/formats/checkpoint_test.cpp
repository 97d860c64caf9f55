// Checkpoints on disk: real ones, sharded ones, and folders that are not what they should be.
#include "formats/safetensors.h"

#include "tests/formats/support.h"

#include <fmt/format.h>

namespace handloom::formats {
namespace {

/// A file of u8 tensors, each of which holds its own name.
std::string named_tensors(std::initializer_list<std::string_view> names) {
  std::string header, data;
  for (const std::string_view name : names) {
    header += fmt::format(R"({}"{}":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}})",
                          header.empty() ? "{" : ",", name, name.size(), data.size(),
                          data.size() + name.size());
    data += name;
  }
  return safetensors_file(header + "}", data);
}

constexpr std::string_view kIndex = "model.safetensors.index.json";

TEST(Checkpoint, OpensTheGoldenAndTheStarterModels) {
  struct Model {
    std::string folder;
    size_t n_tensors;
    std::string_view name;
    Shape shape;
  };
  const std::string golden = HANDLOOM_GOLDEN_DIR "/";
  for (const Model& model :
       {Model{golden + "llama2", 21, "lm_head.weight", {600, 128}},
        Model{golden + "llama3.2", 20, "model.layers.1.self_attn.k_proj.weight", {64, 128}},
        Model{HANDLOOM_STARTER_DIR, 74, "model.embed_tokens.weight", {2048, 256}}}) {
    SCOPED_TRACE(model.folder);
    ASSERT_OK(const Checkpoint checkpoint, open_safetensors(model.folder));
    EXPECT_EQ(checkpoint.tensors().size(), model.n_tensors);
    EXPECT_EQ(checkpoint.where(), model.folder + "/model.safetensors");
    ASSERT_OK(const TensorInfo* tensor, checkpoint.get(model.name));
    EXPECT_EQ(tensor->dtype, DType::bf16);
    EXPECT_EQ(tensor->shape, model.shape);
    ASSERT_OK(const std::vector<float> values, to_f32(*tensor));
    double sum_of_squares = 0;
    for (const float value : values) sum_of_squares += double{value} * value;
    EXPECT_GT(sum_of_squares, 0);
    EXPECT_LT(sum_of_squares / static_cast<double>(values.size()), 1);
  }
}

TEST(Checkpoint, OpensAFileAndReferenceActivations) {
  ASSERT_OK(const Checkpoint reference,
            open_safetensors(HANDLOOM_GOLDEN_DIR "/llama2/reference.safetensors"));
  EXPECT_EQ(reference.find("input_ids")->dtype, DType::i64);
  EXPECT_EQ(reference.find("logits")->shape, Shape({48, 600}));
  ASSERT_OK(const std::vector<float> logits, to_f32(*reference.find("logits")));
  EXPECT_EQ(logits.size(), 48u * 600u);
  expect_error(to_f32(*reference.find("input_ids")), ErrorCode::unsupported,
               {"'input_ids': has type i64, expected f32, f16, bf16 or a quantised type"});
}

TEST(Checkpoint, ReadsShardsAndStaysValidWhenMoved) {
  const TempFolder folder;
  folder.write("model-1.safetensors", named_tensors({"b", "extra"}));
  folder.write("model-2.safetensors", named_tensors({"c", "a"}));
  folder.write(kIndex, R"({"metadata":{"total_size":3},"weight_map":{)"
                       R"("a":"model-2.safetensors","b":"model-1.safetensors",)"
                       R"("c":"model-2.safetensors"}})");
  ASSERT_OK(Checkpoint opened, open_safetensors(folder.path()));
  const Checkpoint checkpoint = std::move(opened);
  ASSERT_EQ(checkpoint.tensors().size(), 3u);  // 'extra' is not in the index
  for (const std::string_view name : {"a", "b", "c"}) {
    ASSERT_NE(checkpoint.find(name), nullptr);
    EXPECT_EQ(checkpoint.find(name)->bytes[0], static_cast<std::byte>(name[0]));
  }
  EXPECT_EQ(checkpoint.where(), folder / kIndex);
  expect_error(checkpoint.get("extra"), ErrorCode::not_found, {folder / kIndex, "'extra'"});
}

TEST(Checkpoint, PrefersTheSingleFile) {
  const TempFolder folder;
  folder.write("model.safetensors", named_tensors({"a"}));
  folder.write(kIndex, "not JSON");
  ASSERT_OK(const Checkpoint checkpoint, open_safetensors(folder.path()));
  EXPECT_EQ(checkpoint.tensors().size(), 1u);
}

TEST(Checkpoint, RefusesFoldersAndIndexes) {
  struct Refusal {
    std::string index;
    ErrorCode code;
    std::string_view fragment;
  };
  constexpr auto bad = ErrorCode::bad_format;
  const auto map = [](std::string_view shard) {
    return fmt::format(R"({{"weight_map":{{"a":{}}}}})", shard);
  };
  for (const auto& [index, code, fragment] : {
           Refusal{"", bad, "is not valid JSON (0 bytes)"},
           Refusal{"[]", bad, "is an array of 0, expected an object"},
           Refusal{"{}", bad, "'weight_map' is missing, expected an object"},
           Refusal{R"({"weight_map":[]})", bad, "'weight_map' is an array of 0"},
           Refusal{R"({"weight_map":{}})", bad, "'weight_map' is empty"},
           Refusal{map("1"), bad, "weight_map: 'a' is 1, expected the name of a file"},
           Refusal{map("\"\""), bad, "'a' is \"\", expected the name"},
           Refusal{map("\"../one.safetensors\""), bad, "'a' is \"../one.safetensors\""},
           Refusal{map("\"/etc/passwd\""), bad, "'a' is \"/etc/passwd\""},
           Refusal{map("\"..\""), bad, "'a' is \"..\""},
           Refusal{map("\".\""), bad, "'a' is \".\""},
           Refusal{map("\"x\\\\one\""), bad, "expected the name of a file in the same folder"},
           Refusal{map("\"C:one\""), bad, "expected the name of a file in the same folder"},
           Refusal{map("\"one.safetensors\\u0000\""), bad, "expected the name of a file"},
           Refusal{map("\"two.safetensors\""), ErrorCode::not_found,
                   "names shard 'two.safetensors', which is missing"},
           Refusal{map("\"one.safetensors\""), bad,
                   "places tensor 'a' in 'one.safetensors', which lacks it"},
           Refusal{map("\"cut.safetensors\""), bad, "cut.safetensors: is 3 bytes long"},
       }) {
    SCOPED_TRACE(index);
    const TempFolder folder;
    folder.write("one.safetensors", named_tensors({"b"}));
    folder.write("cut.safetensors", "abc");
    folder.write(kIndex, index);
    expect_error(open_safetensors(folder.path()), code, {folder.path(), fragment});
  }
}

TEST(Checkpoint, RefusesWhatIsNotThere) {
  const TempFolder folder;
  expect_error(open_safetensors(folder.path()), ErrorCode::not_found,
               {folder.path(), "holds neither model.safetensors nor model.safetensors.index.json"});
  expect_error(open_safetensors(folder / "absent"), ErrorCode::not_found, {folder / "absent"});
  std::filesystem::create_directory(folder / "model.safetensors");
  expect_error(open_safetensors(folder.path()), ErrorCode::io, {"is not a regular file"});
}

}  // namespace
}  // namespace handloom::formats
