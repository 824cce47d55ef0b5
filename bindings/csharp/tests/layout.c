/* Prints what a C compiler makes of include/bregman.h, for the C# test that compares. */
#include "consumer.h"

int main(void)
{
    print_layout();
    return 0;
}
