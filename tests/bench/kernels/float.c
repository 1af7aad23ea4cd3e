/* Floating point: bodies under mutual attraction, and a small matrix. */
#include <math.h>
#include <stdio.h>

enum { N = 12, M = 48 };
static double p[N][3], v[N][3], a[M][M], b[M][M], c[M][M];

int main(void)
{
	for (int i = 0; i < N; i++)
		for (int k = 0; k < 3; k++)
			p[i][k] = (i * 7 + k * 3) % 11;
	for (int step = 0; step < 300000; step++) {
		for (int i = 0; i < N; i++)
			for (int j = 0; j < N; j++) {
				double d[3], r = 1;
				for (int k = 0; k < 3; k++) {
					d[k] = p[j][k] - p[i][k];
					r += d[k] * d[k];
				}
				double f = 1e-4 / (r * sqrt(r));
				for (int k = 0; k < 3; k++)
					v[i][k] += d[k] * f;
			}
		for (int i = 0; i < N; i++)
			for (int k = 0; k < 3; k++)
				p[i][k] += v[i][k] * 1e-3;
	}
	for (int i = 0; i < M; i++)
		for (int j = 0; j < M; j++)
			a[i][j] = (i * M + j) % 7, b[i][j] = (i * M + j) % 5;
	for (int round = 0; round < 200; round++)
		for (int i = 0; i < M; i++)
			for (int j = 0; j < M; j++)
				for (int k = 0; k < M; k++)
					c[i][j] += a[i][k] * b[k][j];
	printf("%.4f %.1f\n", p[3][1], c[7][9]);
}
