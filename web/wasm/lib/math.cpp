// The functions of <cmath> that compute with tables in libc: here JavaScript's own, the module
// "math". Twelve kilobytes less to fetch. Not compiled for link-time optimisation, which would take
// the names for the built-in functions. And one that libc writes for machines without an
// instruction for `trunc`.

#define HANDLOOM_MATH(name, params, args)                                               \
  __attribute__((import_module("math"), import_name(#name))) double host_##name params; \
  double name params { return host_##name args; }

extern "C" {
HANDLOOM_MATH(sin, (double x), (x))
HANDLOOM_MATH(cos, (double x), (x))
HANDLOOM_MATH(exp, (double x), (x))
HANDLOOM_MATH(log, (double x), (x))
HANDLOOM_MATH(pow, (double x, double y), (x, y))
float sinf(float x) { return static_cast<float>(host_sin(x)); }
float cosf(float x) { return static_cast<float>(host_cos(x)); }
float logf(float x) { return static_cast<float>(host_log(x)); }
float expf(float x) { return static_cast<float>(host_exp(x)); }
float powf(float x, float y) { return static_cast<float>(host_pow(x, y)); }

double round(double x) {
  const double whole = __builtin_trunc(x);
  return __builtin_fabs(x - whole) >= 0.5 ? whole + __builtin_copysign(1.0, x) : whole;
}
}
