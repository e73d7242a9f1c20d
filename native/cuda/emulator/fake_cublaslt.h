#pragma once

#include <cstddef>
#include <cstdint>

// What tests tell the library of fake_cublaslt.cc, and what it tells them.
struct FakeCublasLt {
  size_t version = 130100;
  int create_status = 0, heuristic_status = 0, matmul_status = 0;
  bool throws_memory = false, throws_words = false;  // when it is asked for an algorithm
  uint32_t least_alignment = 1;  // bytes: it has no algorithm for a matrix that is aligned to less

  int heuristics = 0, products = 0;                             // asked for so far
  int handles = 0, descs = 0, layouts = 0, preferences = 0;     // not released
  uint64_t workspace = 0;                                       // bytes that the last algorithm was allowed
};

#define FLAB_FAKE_CUBLASLT "flab_fake_cublaslt"  // FakeCublasLt* ()
