// Programs that are wrong on purpose, each in a process of its own: the emulator must end it with the sentence that says what is wrong,
// or its result must be wrong in one of several orders.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/testing.h"
#include "cuda/tensor_core.cuh"

namespace flab::cuda {

constexpr int kOrders = 20;

// What a process that runs `program` in the order of `seed` says before it ends.
template <typename Program>
std::string LastWords(Program program, int seed = 1) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    setenv("FLAB_EMULATED_SEED", std::to_string(seed).c_str(), 1);
    program();
    _exit(0);
  }
  close(ends[1]);
  std::string words;
  char buffer[256];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) words.append(buffer, static_cast<size_t>(got));
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return words;
}

// In how many of the orders `program` returns false.
template <typename Program>
int WrongOrders(Program program) {
  int wrong = 0;
  for (int seed = 1; seed <= kOrders; ++seed) {
    const std::string words = LastWords([&] { std::fputs(program() ? "right" : "wrong", stderr); }, seed);
    CHECK(words == "right" || words == "wrong", words);
    wrong += words == "wrong";
  }
  return wrong;
}

#define EXPECT_WORDS(words, ...)                               \
  do {                                                         \
    const std::string said = LastWords(__VA_ARGS__);           \
    EXPECT(said.find(words) != std::string::npos, "it said: ", said); \
  } while (false)

inline cudaStream_t NewStream() {
  cudaStream_t stream;
  cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  return stream;
}

template <typename T>
T* OnDevice(size_t count) {
  void* memory;
  cudaMalloc(&memory, count * sizeof(T));
  return static_cast<T*>(memory);
}

template <typename Kernel>
void Run(unsigned blocks, unsigned threads, size_t shared, Kernel kernel) {
  const cudaStream_t stream = NewStream();
  emulator::Launch(stream, "Test", {blocks}, threads, shared, kernel);
  cudaStreamSynchronize(stream);
}

}  // namespace flab::cuda
