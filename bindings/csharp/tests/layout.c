/* Prints the layout of include/bregman.h for the C# test. */
#include "consumer.h"

int main(void)
{
    print_layout();
    return 0;
}
