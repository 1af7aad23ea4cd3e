/* names: the names this program answers to besides its own. */
#include <stdio.h>
int main(void)
{
	return 0;
}
