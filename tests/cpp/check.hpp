// Shared by the parts of the C++ program.
#ifndef CHECK_HPP
#define CHECK_HPP

#include "bregman.hpp"

#include <vector>

extern unsigned long checks;
void check(bool good, const char *what, const char *file, int line);
#define CHECK(condition) check(static_cast<bool>(condition), #condition, __FILE__, __LINE__)

// `n` different logits, the same for the same number, all exact in half precision.
std::vector<float> row(std::size_t n, unsigned number);
bool same(const bregman_result &a, const bregman_result &b);

void test_ownership(); // ownership.cpp
void test_results();   // results.cpp
void test_decode();    // decode.cpp
void test_batch();     // batch.cpp
void test_answers();   // answers.cpp
void test_state();     // state.cpp
void test_verify();    // verify.cpp
void test_catalogue(); // catalogue.cpp

#endif
