/* Memory and bits: sorting, a hash, strings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int order(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return x < y ? -1 : x > y;
}

int main(void)
{
	enum { N = 400000 };
	unsigned *t = malloc(N * sizeof(*t)), x = 1, sum = 0;
	char line[256];
	for (int i = 0; i < N; i++)
		t[i] = x = x * 1664525 + 1013904223;
	qsort(t, N, sizeof(*t), order);
	for (int i = 0; i < N; i++)
		sum = (sum ^ t[i]) * 16777619u;
	for (int i = 0; i < 300000; i++) {
		snprintf(line, sizeof(line), "%d:%u", i, t[i]);
		sum += strlen(line) + (strchr(line, ':') - line);
	}
	printf("%u\n", sum);
}
