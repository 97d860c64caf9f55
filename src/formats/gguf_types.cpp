#include "formats/gguf_types.h"

namespace handloom::formats {
namespace {

// ggml's enum ggml_type. The gaps are numbers whose types were withdrawn: Q4_2 and Q4_3, and the
// interleaved layouts 31 to 33 and 36 to 38.
constexpr std::array kTypes = {
    GgmlType{0, "F32", DType::f32},
    GgmlType{1, "F16", DType::f16},
    GgmlType{2, "Q4_0", DType::q4_0},
    GgmlType{3, "Q4_1", DType::q4_1},
    GgmlType{4, "Q4_2", {}},
    GgmlType{5, "Q4_3", {}},
    GgmlType{6, "Q5_0", DType::q5_0},
    GgmlType{7, "Q5_1", DType::q5_1},
    GgmlType{8, "Q8_0", DType::q8_0},
    GgmlType{9, "Q8_1", {}},
    GgmlType{10, "Q2_K", DType::q2_k},
    GgmlType{11, "Q3_K", DType::q3_k},
    GgmlType{12, "Q4_K", DType::q4_k},
    GgmlType{13, "Q5_K", DType::q5_k},
    GgmlType{14, "Q6_K", DType::q6_k},
    GgmlType{15, "Q8_K", {}},
    GgmlType{16, "IQ2_XXS", {}},
    GgmlType{17, "IQ2_XS", {}},
    GgmlType{18, "IQ3_XXS", {}},
    GgmlType{19, "IQ1_S", {}},
    GgmlType{20, "IQ4_NL", DType::iq4_nl},
    GgmlType{21, "IQ3_S", {}},
    GgmlType{22, "IQ2_S", {}},
    GgmlType{23, "IQ4_XS", {}},
    GgmlType{24, "I8", DType::i8},
    GgmlType{25, "I16", {}},
    GgmlType{26, "I32", DType::i32},
    GgmlType{27, "I64", DType::i64},
    GgmlType{28, "F64", {}},
    GgmlType{29, "IQ1_M", {}},
    GgmlType{30, "BF16", DType::bf16},
    GgmlType{31, "Q4_0_4_4", {}},
    GgmlType{32, "Q4_0_4_8", {}},
    GgmlType{33, "Q4_0_8_8", {}},
    GgmlType{34, "TQ1_0", {}},
    GgmlType{35, "TQ2_0", {}},
    GgmlType{36, "IQ4_NL_4_4", {}},
    GgmlType{37, "IQ4_NL_4_8", {}},
    GgmlType{38, "IQ4_NL_8_8", {}},
    GgmlType{39, "MXFP4", DType::mxfp4},
    GgmlType{40, "NVFP4", {}},
    GgmlType{41, "Q1_0", {}},
    GgmlType{42, "Q2_0", {}},
};

}  // namespace

std::string_view to_string(GgufType type) {
  switch (type) {
    case GgufType::u8: return "u8";
    case GgufType::i8: return "i8";
    case GgufType::u16: return "u16";
    case GgufType::i16: return "i16";
    case GgufType::u32: return "u32";
    case GgufType::i32: return "i32";
    case GgufType::f32: return "f32";
    case GgufType::boolean: return "bool";
    case GgufType::string: return "string";
    case GgufType::array: return "array";
    case GgufType::u64: return "u64";
    case GgufType::i64: return "i64";
    case GgufType::f64: return "f64";
  }
  return "";
}

uint32_t value_bytes(GgufType type) {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean: return 1;
    case GgufType::u16:
    case GgufType::i16: return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32: return 4;
    case GgufType::u64:
    case GgufType::i64:
    case GgufType::f64: return 8;
    case GgufType::string:
    case GgufType::array: return 0;
  }
  return 0;
}

const GgmlType* find_ggml_type(uint32_t id) { return id < kTypes.size() ? &kTypes[id] : nullptr; }

const GgmlType* find_ggml_type(DType dtype) {
  for (const GgmlType& type : kTypes) {
    if (type.dtype == dtype) return &type;
  }
  return nullptr;
}

std::string supported_ggml_types() {
  std::string names;
  for (const GgmlType& type : kTypes) {
    if (!type.dtype) continue;
    names += names.empty() ? "" : ", ";
    names += type.name;
  }
  return names;
}

}  // namespace handloom::formats
